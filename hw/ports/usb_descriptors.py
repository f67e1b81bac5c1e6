"""serial_descriptors: what a core on USB says of itself: a serial port of class CDC-ACM (CDC 1.2, PSTN 1.2)."""

from __future__ import annotations

from typing import Any

from ..spec.link import USB_IDS

__all__ = ["DATA_ENDPOINT", "NOTIFY_ENDPOINT", "PACKET", "serial_descriptors"]

PACKET = 64
"""Bytes of a packet, the most at full speed."""

NOTIFY_ENDPOINT, DATA_ENDPOINT = 3, 4
"""Endpoints: one that a serial port must have, though ours never says anything on it; one for bytes, either way."""

_COMMUNICATIONS, _DATA = 0x02, 0x0A  # classes of interfaces
_ABSTRACT_CONTROL, _AT_COMMANDS = 0x02, 0x01
_BULK, _INTERRUPT = 2, 3
_IN = 0x80


def serial_descriptors(product: str) -> Any:
    """Device, configuration and strings, as LUNA's control endpoint takes them.

    Parameters
    ----------
    product : str
        Name of the device.
    """
    from usb_protocol.emitters import DeviceDescriptorCollection
    from usb_protocol.emitters.descriptors import cdc

    descriptors = DeviceDescriptorCollection()
    with descriptors.DeviceDescriptor() as device:
        device.idVendor, device.idProduct = USB_IDS
        # two interfaces of one function (USB 2.0, interface association descriptors)
        device.bDeviceClass, device.bDeviceSubclass, device.bDeviceProtocol = 0xEF, 0x02, 0x01
        device.iManufacturer, device.iProduct = "narrows", product
        device.bNumConfigurations = 1
    with descriptors.ConfigurationDescriptor() as configuration:
        with configuration.InterfaceAssociationDescriptor() as function:
            function.bFirstInterface, function.bInterfaceCount = 0, 2
            function.bFunctionClass, function.bFunctionSubClass = _COMMUNICATIONS, _ABSTRACT_CONTROL
            function.bFunctionProtocol = _AT_COMMANDS
        with configuration.InterfaceDescriptor() as control:
            control.bInterfaceNumber = 0
            control.bInterfaceClass, control.bInterfaceSubclass = _COMMUNICATIONS, _ABSTRACT_CONTROL
            control.bInterfaceProtocol = _AT_COMMANDS
            union, calls = cdc.UnionFunctionalDescriptorEmitter(), cdc.CallManagementFunctionalDescriptorEmitter()
            union.bControlInterface, union.bSubordinateInterface0 = 0, 1
            calls.bDataInterface = 1
            for part in (cdc.HeaderDescriptorEmitter(), union, calls):
                control.add_subordinate_descriptor(part)
            _add_endpoint(control, _IN | NOTIFY_ENDPOINT, _INTERRUPT, interval=255)
        with configuration.InterfaceDescriptor() as data:
            data.bInterfaceNumber = 1
            data.bInterfaceClass, data.bInterfaceSubclass, data.bInterfaceProtocol = _DATA, 0, 0
            for address in (_IN | DATA_ENDPOINT, DATA_ENDPOINT):
                _add_endpoint(data, address, _BULK, interval=0)
    return descriptors


def _add_endpoint(interface: Any, address: int, kind: int, *, interval: int) -> None:
    with interface.EndpointDescriptor() as endpoint:
        endpoint.bEndpointAddress, endpoint.bmAttributes = address, kind
        endpoint.wMaxPacketSize, endpoint.bInterval = PACKET, interval

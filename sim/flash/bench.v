// What benches around a core that boots have of its flash: wires and chip, whose broken rules are `flash_violations`, and the core's
// ports to them.
`ifdef NARROWS_FLASH
`define NARROWS_FLASH_CHIP \
    wire flash_cs_n, flash_sck, flash_copi, flash_cipo; \
    wire [31:0] flash_violations; \
    narrows_flash_chip flash ( \
        .clk(clk), .power(1'b1), .cs_n(flash_cs_n), .sck(flash_sck), .copi(flash_copi), .cipo(flash_cipo), .violations(flash_violations) \
    );
`define NARROWS_FLASH_PORTS \
    .flash_cs_n(flash_cs_n), .flash_sck(flash_sck), .flash_copi(flash_copi), .flash_cipo(flash_cipo),
`else
`define NARROWS_FLASH_CHIP wire [31:0] flash_violations = 0;
`define NARROWS_FLASH_PORTS
`endif

"""Random models of several kinds for bench/import_campaign.py."""

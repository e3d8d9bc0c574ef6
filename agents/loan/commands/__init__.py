"""The commands `millrace indicators …`, which an entry point adds to the command line."""

from streams.cli.command import Command, Group

INDICATORS = Group(
    "indicators",
    "Socio-economic indicators, which loan-appetence reads live.",
    (
        Command(
            "load",
            "agents.loan.commands.indicators:load",
            "Load those of a file.",
            ("millrace indicators load", "millrace indicators load bank-additional-full.csv"),
        ),
        Command("show", "agents.loan.commands.indicators:show", "List them by month.", ("millrace indicators show",)),
        Command(
            "set",
            "agents.loan.commands.indicators:set_",
            "Change those of a month.",
            (
                "millrace indicators set 2010-11 --euribor3m 1.042",
                (
                    "millrace indicators set 2010-12 --emp-var-rate -1.1 --cons-price-idx 94.9 --cons-conf-idx -49.5 "
                    "--euribor3m 1.02 --nr-employed 4963.6"
                ),
            ),
        ),
    ),
)

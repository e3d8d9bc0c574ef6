"""The commands of `millrace` itself; other packages add theirs by entry points (`streams.cli.extensions`)."""

from streams.cli.command import Command, Group

COMMANDS = (
    Command(
        "up",
        "streams.cli.operations.stack:up",
        "Start the whole system on this machine.",
        ("millrace up", "millrace up --workers 2", "millrace up --home /tmp/other --parts kafka,registry"),
    ),
    Command("down", "streams.cli.operations.stack:down", "Stop the system of this home.", ("millrace down",)),
    Command(
        "status",
        "streams.cli.operations.stack:status",
        "Show its parts, and how to open each.",
        ("millrace status", "millrace status --output json"),
    ),
    Command(
        "restart",
        "streams.cli.operations.stack:restart",
        "Start parts of it again.",
        ("millrace restart worker", "millrace restart worker flow gateway"),
    ),
    Command(
        "lint",
        "streams.cli.pipelines.lint:lint",
        "Check pipeline files, offline.",
        (
            "millrace lint my-pipeline.yaml",
            "millrace lint pipelines/ --json",
            "millrace lint pipelines/ --against main",
        ),
    ),
    Command(
        "test",
        "streams.cli.pipelines.test:run_tests",
        "Run the tests in pipeline files, offline.",
        ("millrace test", "millrace test pipelines/ -k women", "millrace test mine.yaml --seed 7 --json"),
    ),
    Command(
        "import",
        "streams.cli.pipelines.importing:import_",
        "Turn a pipeline of the older format into YAML.",
        (
            "millrace import old/blur.json",
            "millrace import old/blur.json -o pipelines/blur.yaml",
            "millrace import old/blur.json --service area-blur=image-blur --json",
        ),
    ),
    Command(
        "compile",
        "streams.cli.pipelines.compile:compile_",
        "Compile to topics, Strimzi, Mermaid, AsyncAPI.",
        (
            "millrace compile face-blur",
            "millrace compile my-pipeline.yaml --mermaid",
            "millrace compile --strimzi > kafka.yaml",
            "millrace compile --asyncapi > asyncapi.json",
        ),
    ),
    Command(
        "apply",
        "streams.cli.pipelines.apply:apply",
        "Synchronise topics, schemas and pipelines.",
        (
            "millrace apply",
            "millrace apply pipelines/ --dry-run",
            "millrace apply pipelines/ --prune --yes",
            "millrace apply pipelines/ --canary 10%",
            "millrace apply pipelines/ --shadow",
        ),
    ),
    Command(
        "rollback",
        "streams.cli.pipelines.versions:rollback",
        "Go back to an earlier version.",
        ("millrace rollback face-blur", "millrace rollback face-blur 4f2a91"),
    ),
    Command(
        "forget",
        "streams.cli.pipelines.versions:forget",
        "Remove versions that no run needs.",
        ("millrace forget face-blur", "millrace forget face-blur 4f2a91"),
    ),
    Command(
        "services",
        "streams.cli.pipelines.catalogue:services",
        "List the live services.",
        ("millrace services", "millrace services face-detect --output json"),
    ),
    Command(
        "pipelines",
        "streams.cli.pipelines.catalogue:pipelines",
        "List the pipelines.",
        (
            "millrace pipelines",
            "millrace pipelines face-blur",
            "millrace pipelines face-blur --versions",
            "millrace pipelines face-blur --shadow",
        ),
    ),
    Command(
        "delete",
        "streams.cli.pipelines.delete:delete",
        "Take one pipeline out of use.",
        ("millrace delete my-pipeline", "millrace delete my-pipeline --yes"),
    ),
    Command(
        "runs",
        "streams.cli.runs.history:listing",
        "List runs.",
        (
            "millrace runs",
            "millrace runs --pipeline face-blur --status failed --since 2h",
            "millrace runs --since 2026-11-21T10:00 --last 500 --output json",
        ),
    ),
    Command(
        "run",
        "streams.cli.runs.run:run",
        "Run a pipeline or a service.",
        (
            "millrace run face-blur -i photo=@me.jpg -i strength=0.5 --follow",
            "millrace run image-convert -i image=@me.png -i format=webp --wait 30 --output json",
            """millrace run image-crop -i image=@me.png -i 'areas=[{"x":0,"y":0,"width":64,"height":64}]'""",
        ),
    ),
    Command(
        "events",
        "streams.cli.runs.run:events",
        "Follow the events of a run.",
        ("millrace events RUN", "millrace events RUN --after 1042 --output json"),
    ),
    Command(
        "result",
        "streams.cli.runs.run:result",
        "Show or download the result of a run.",
        ("millrace result RUN", "millrace result RUN --wait 30", "millrace result RUN -o blurred.jpg"),
    ),
    Command("explain", "streams.cli.runs.explain:explain", "Explain what a run waits for.", ("millrace explain RUN",)),
    Command(
        "replay",
        "streams.cli.runs.explain:replay",
        "Run it again, from the start or from a node on.",
        (
            "millrace replay RUN",
            "millrace replay RUN --from blur --follow",
            "millrace replay RUN --set strength=0.4",
            "millrace replay RUN --set 'detect.faces[0].area.x=10'",
        ),
    ),
    Command("cancel", "streams.cli.runs.run:cancel", "Cancel a run.", ("millrace cancel RUN",)),
    Command(
        "bench", "streams.cli.operations.bench:bench", "Measure this machine.", ("millrace bench", "millrace bench hop")
    ),
    Command(
        "schemas",
        "streams.cli.operations.stack:schemas",
        "Write the contracts of the services.",
        ("millrace schemas", "millrace schemas --check"),
    ),
)

GROUPS = (
    Group(
        "dead-letters",
        "Records that could not be processed: list, show, resend.",
        (
            Command(
                "list",
                "streams.cli.runs.dead_letters:listing",
                "List dead letters.",
                ("millrace dead-letters list --last 5", "millrace dead-letters list --consumer face-detect --since 6h"),
            ),
            Command(
                "show",
                "streams.cli.runs.dead_letters:show",
                "Show one dead letter.",
                ("millrace dead-letters show 0-17", "millrace dead-letters show 0-17 --raw > record"),
            ),
            Command(
                "resend",
                "streams.cli.runs.dead_letters:resend",
                "Send them again.",
                (
                    "millrace dead-letters resend 0-17 0-18",
                    "millrace dead-letters resend --consumer image-blur --since 2h",
                    "millrace dead-letters resend --all --dry-run",
                ),
            ),
        ),
    ),
    Group(
        "predictions",
        "Predictions of models: list, show, correct.",
        (
            Command(
                "list",
                "streams.cli.runs.predictions:listing",
                "List predictions.",
                (
                    "millrace predictions list --service digit-recognition --below 0.8",
                    "millrace predictions list --run RUN --output json",
                ),
            ),
            Command(
                "show", "streams.cli.runs.predictions:show", "Show one prediction.", ("millrace predictions show ID",)
            ),
            Command(
                "drift",
                "streams.cli.runs.predictions:drift",
                "Compare current data with training data.",
                ("millrace predictions drift", "millrace predictions drift --service digit-recognition"),
            ),
            Command(
                "correct",
                "streams.cli.runs.predictions:correct",
                "Correct one prediction.",
                ("millrace predictions correct ID 7", "millrace predictions correct ID neutrophil"),
            ),
        ),
    ),
    Group(
        "callbacks",
        "Secrets for receivers of callbacks.",
        (
            Command(
                "secret",
                "streams.cli.runs.callbacks:secret",
                "Print the key of their signatures.",
                ("millrace callbacks secret",),
            ),
        ),
    ),
    Group(
        "notices",
        "Notices of ended runs: list, resend.",
        (
            Command(
                "list",
                "streams.cli.runs.notices:listing",
                "List notices.",
                (
                    "millrace notices list",
                    "millrace notices list --state 'given up'",
                    "millrace notices list --run RUN",
                ),
            ),
            Command("resend", "streams.cli.runs.notices:resend", "Try one again.", ("millrace notices resend ID",)),
        ),
    ),
    Group(
        "models",
        "Versions of models, and which of them serves.",
        (
            Command(
                "list",
                "streams.cli.operations.models:listing",
                "List registered versions.",
                ("millrace models list digit-recognition",),
            ),
            Command(
                "show",
                "streams.cli.operations.models:show",
                "Show one version.",
                ("millrace models show digit-recognition 2",),
            ),
            Command(
                "use",
                "streams.cli.operations.models:use",
                "Let another version serve.",
                ("millrace models use digit-recognition 1", "millrace models use digit-recognition shipped"),
            ),
            Command(
                "retrain",
                "streams.cli.operations.retrain:retrain",
                "Order the models of a file in git.",
                ("millrace models retrain models.yaml",),
            ),
        ),
    ),
    Group(
        "data",
        "Public data and model weights.",
        (
            Command(
                "fetch",
                "streams.cli.operations.data:fetch",
                "Download files of the catalogue.",
                ("millrace data fetch", "millrace data fetch models"),
            ),
            Command(
                "keep",
                "streams.cli.operations.data:keep",
                "Store a dataset version in S3.",
                ("millrace data keep mnist",),
            ),
            Command(
                "corrections",
                "streams.cli.operations.data:corrections",
                "Build a dataset version with corrections.",
                ("millrace data corrections digit-recognition",),
            ),
            Command(
                "versions",
                "streams.cli.operations.data:versions",
                "List dataset versions in S3.",
                ("millrace data versions mnist",),
            ),
        ),
    ),
)

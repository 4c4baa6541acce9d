"""`reflex run --backend-only` in a mode and on a port; the command refuses that where settings name a page's port."""

import sys

from reflex import reflex
from reflex_base.constants import CompileContext, Env, RunningMode
from reflex_base.environment import environment
from reflex_base.utils import log

if __name__ == "__main__":
    log.enable_managed_logging()
    environment.REFLEX_COMPILE_CONTEXT.set(CompileContext.RUN)
    environment.REFLEX_BACKEND_ONLY.set(True)
    reflex._run(env=Env(sys.argv[1]), running_mode=RunningMode.BACKEND_ONLY, backend_port=int(sys.argv[2]))

"""`python -m fastact`: the same command as `fastact`.

Nothing imports this file. The commands themselves are in fastact/cli/.
"""

from fastact.cli import main

if __name__ == "__main__":
    main()

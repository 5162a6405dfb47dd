#!/usr/bin/env python3
"""Real clients of both protocols against a server: everything of the contract that they can check.

    seeds.py [PART]...

Piratchat is spoken by `aiohttp`, ChitChat by `websockets` and `aiohttp`, tokens by PyJWT. Each part
has a server of its own. Prints a line for each check that fails, then `N passed, N failed`.
"""

import sys

import chitchat
import harness
import piratchat
import tokens

if __name__ == "__main__":
    parts = piratchat.PARTS + chitchat.PARTS + tokens.PARTS
    wanted = sys.argv[1:]
    harness.main(*[part for part in parts if not wanted or part.__name__ in wanted])

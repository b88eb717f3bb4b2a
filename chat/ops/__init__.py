"""How the program is run and watched."""

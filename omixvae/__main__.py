"""`python -m omixvae` is the command `omixvae`."""

from omixvae.cli import main

if __name__ == "__main__":
    main(prog_name="omixvae")

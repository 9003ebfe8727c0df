"""`python -m querysvc` is the `querysvc` command."""

from querysvc.cli import main

main()

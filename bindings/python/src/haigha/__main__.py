import sys

from haigha.console import main

sys.exit(main())

"""The clients' portal: a web app without accounts. It reads the register and puts answers into the inbox."""

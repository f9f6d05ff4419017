"""A mail server for demos and rehearsals: takes every message over SMTP and keeps it."""
import sys, time
time.sleep(10**6)

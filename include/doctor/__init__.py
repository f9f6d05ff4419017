"""What is unsafe or missing in a production installation, and how to mend it: ``python -m include.doctor``.

Each module looks at one part. What it found is judged by functions that contact nothing.
"""

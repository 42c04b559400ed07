"""What `deqmpc doctor` looks at.

Modules gather facts (`gather`) and judge them (`check`, a pure function of the facts). What is not the
standard library is imported when it is needed, because it may be what is missing.
"""

"""Training: everything that goes through the one loop.

job         what a training is made of, once from a config
plan        when things happen, in steps
timed       trainings that have so many minutes
step        the compiled programs: the first state, the orders of the data, the loop of steps
loop        fit
best        the best parameters so far, and patience
finish      the end: evaluation, artifacts, result.json
signals     Ctrl-C, SIGTERM and SIGHUP
progress    what a person sees
bank        N models as one program
mesh        devices
memory      whether a model can be held
optimizers  from Optax, by name
command     what train.py does once it knows the config
"""

"""Label Studio from Python: projects over folders and tables, labels as DataFrames, predictions back.

Needs the standard library only; pandas, IPython and the SDK are imported where they are used. So it
works in the kernels of other environments, in terminals and in scripts.
"""

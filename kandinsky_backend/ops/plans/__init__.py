"""Plans: a model's operations for given shapes, compiled once and run by an executor in C++ on oneDNN.

trace     stand-ins for tensors record which operation meets which shape and weight
fusion    rules that make fewer operations of a trace
planner   from a trace to steps: primitives, layouts, buffers (regions, steps, memory)
native    the executor (native/, C++), compiled by build
precision says in which precisions plans run here, by the processor and by selftest
rehearsal makes plans ahead of their first run, in a thread of its own
planned   the decorator by which a model's method becomes a plan; runtime says whether there is an executor
"""

"""The optional parts of the build: the compiled kernel of aro.quant, and its wire. All else is in pyproject.toml."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "aro.quant._kernel",
            sources=["aro/quant/kernel.c", "aro/quant/smile.c", "aro/quant/quality.c", "aro/quant/exposure.c"],
            depends=["aro/quant/vectors.h", "aro/quant/points.h"],
            # Square roots and comparisons need neither errno nor traps, and without them loops become vectors.
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math"],
            optional=True,  # a machine without a compiler computes in numpy
        ),
        Extension(
            "aro.quant._wire",
            sources=["aro/quant/wire.c"],
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math"],
            optional=True,  # and reads and writes by msgspec
        ),
    ]
)

#!/usr/bin/env python3
"""Installs the library into a temporary prefix and uses it from there, as a stranger would.

usage: installed.py MESON BUILD_FOLDER VERSION_PROGRAM.c MESSAGE_PROGRAM.c VERSION

The programs are compiled by a plain `cc $(pkg-config --cflags --libs haigha)`, the first one through
find_package(haigha) as well where CMake is present. It must print VERSION; the second one sends a
message through the broker that HAIGHA_TEST_URI names, if it names one, and otherwise through the stub
broker that is installed too.
"""

import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager

CMAKE_LISTS = """
cmake_minimum_required(VERSION 3.18)
project(stranger C)
find_package(haigha {version} REQUIRED)
add_executable(stranger "{program}")
target_link_libraries(stranger haigha::haigha)
"""


def run(*command, **options):
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if result.returncode != 0:
        print(f"{shlex.join(command)}\n{result.stdout}")
        sys.exit(1)
    return result.stdout.strip()


def expect(found, wanted, what):
    if found != wanted:
        print(f"{what}: {found!r} instead of {wanted!r}")
        sys.exit(1)


@contextmanager
def stub_broker(folder):
    """The URI of the stub broker that was installed, while it runs."""
    (program,) = glob.glob(f"{folder}/**/bin/haigha-stub-broker", recursive=True)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stub:
        yield stub.stdout.readline().strip()
        stub.stdin.close()


def check_vectors(folder):
    names = set()
    for path in glob.glob(f"{folder}/*.json"):
        with open(path, encoding="utf-8") as file:
            expect(json.load(file)["format"], "haigha-conformance", path)
        names.add(os.path.basename(path))
    wanted = {"behaviours.json", "frames.json", "headers.json", "methods.json", "tables.json"}
    expect(names, wanted, "the files for conformance tests")


def main():
    meson, build, program, message_program, version = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="haigha-installed-") as folder:
        run(*shlex.split(meson), "install", "-C", build, "--no-rebuild", "--destdir", folder)
        (pc_file,) = glob.glob(f"{folder}/**/haigha.pc", recursive=True)
        (library,) = glob.glob(f"{folder}/**/libhaigha.so", recursive=True)
        environment = dict(
            os.environ,
            PKG_CONFIG_PATH=os.path.dirname(pc_file),
            PKG_CONFIG_SYSROOT_DIR=folder,
            LD_LIBRARY_PATH=os.path.dirname(library),
        )

        expect(run("pkg-config", "--modversion", "haigha", env=environment), version, "haigha.pc")
        flags = shlex.split(run("pkg-config", "--cflags", "--libs", "haigha", env=environment))
        compiler = os.environ.get("CC", "cc")
        with stub_broker(folder) as uri:
            environment.setdefault("HAIGHA_TEST_URI", uri)
            for source, wanted in ((program, version), (message_program, "got: hello")):
                stranger = f"{folder}/stranger"
                run(compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", source, *flags, "-o", stranger)
                expect(run(stranger, env=environment), wanted, f"{source}, built through pkg-config")
        check_vectors(run("pkg-config", "--variable=conformancedir", "haigha", env=environment))

        if not shutil.which("cmake"):
            print("works through pkg-config; no CMake here to try find_package(haigha)")
            return
        project = f"{folder}/project"
        os.mkdir(project)
        with open(f"{project}/CMakeLists.txt", "w", encoding="utf-8") as file:
            file.write(CMAKE_LISTS.format(version=version, program=os.path.abspath(program)))
        cmake_folder = os.path.join(os.path.dirname(library), "cmake", "haigha")
        run("cmake", "-S", project, "-B", f"{project}/build", f"-Dhaigha_DIR={cmake_folder}")
        run("cmake", "--build", f"{project}/build")
        expect(run(f"{project}/build/stranger"), version, "the program built through CMake")
        print("works through pkg-config and through CMake")


if __name__ == "__main__":
    main()

"""Runs all tests of the fake Snowflake: python test_fake.py, with the packages of requirements.txt.

Fails if a test was skipped, because the Rust tests rely on the behaviour that these tests check."""
import sys, unittest

MODULES = ("test_privileges", "test_warehouses", "test_protocol")


def load_tests(loader, tests, pattern):
    return loader.loadTestsFromNames(MODULES)


if __name__ == "__main__":
    tests = unittest.defaultTestLoader.loadTestsFromNames(MODULES)
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    sys.exit(not (result.testsRun and result.wasSuccessful() and not result.skipped))

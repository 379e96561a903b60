"""The template is clean, and each known fault in it is found: python -m unittest test_template."""
import unittest
from faults import FAULTS, planted
from template import findings
from translated import TEMPLATE


class Checks(unittest.TestCase):
    def test_the_template_is_clean(self):
        self.assertEqual(findings(TEMPLATE.read_text()), {})

    def test_each_fault_is_found_by_its_check(self):
        text = TEMPLATE.read_text()
        for fault in FAULTS:
            with self.subTest(fault.name):
                # cfn-lint takes seconds, so it reads only what is its to find.
                found = findings(planted(text, fault.name), lint="cfn-lint" in fault.by)
                self.assertTrue(any(check.startswith(by) for check in found for by in fault.by.split("|")), found)


if __name__ == "__main__":
    unittest.main()

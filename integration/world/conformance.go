package world

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A ConformanceReport is what the OCI conformance suite says of one registry.
type ConformanceReport struct {
	Tests    int            // as the suite counts them, disabled and skipped ones included
	Failures int            // as the suite counts them, groups of tests included
	Failed   map[string]int // name → how many tests of that name failed: the suite repeats names
	Passed   map[string]int // name → how many passed
	Output   string         // what the suite printed
}

// ConformanceOptions, of which the zero value asks for everything in version 1.1.
type ConformanceOptions struct {
	User User     // empty: anonymous
	Env  []string // more settings, such as OCI_DATA_SHA512=false
}

// Conformance runs the OCI conformance suite against the registry at host:port. It is no failure that
// tests of the suite fail: that is what the report tells.
func Conformance(t T, addr string, o ConformanceOptions) ConformanceReport {
	t.Helper()
	dir := t.TempDir()
	suite := Command{Path: Tool(t, "conformance"), Dir: dir, Env: append([]string{
		"OCI_REGISTRY=" + addr, "OCI_TLS=disabled", "OCI_VERSION=1.1", "OCI_RESULTS_DIR=" + dir,
		"OCI_USERNAME=" + o.User.Name, "OCI_PASSWORD=" + o.User.Password,
	}, o.Env...)}
	out, suiteErr := suite.Try(t) // status 1: a test failed

	data, err := os.ReadFile(filepath.Join(dir, "junit.xml"))
	if err != nil {
		t.Fatalf("the conformance suite left no report: %v\n%v", err, suiteErr)
	}
	report, err := ParseConformance(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	report.Output = out
	return report
}

// ParseConformance reads the suite's junit.xml. It marks a failed test by an attribute, and by nothing
// else.
func ParseConformance(data []byte) (ConformanceReport, error) {
	var junit struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Cases []struct {
				Name   string `xml:"name,attr"`
				Status string `xml:"status,attr"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &junit); err != nil {
		return ConformanceReport{}, fmt.Errorf("the conformance suite's junit.xml: %w", err)
	}
	report := ConformanceReport{
		Tests: junit.Tests, Failures: junit.Failures,
		Failed: make(map[string]int), Passed: make(map[string]int),
	}
	for _, suite := range junit.Suites {
		for _, c := range suite.Cases {
			switch c.Status {
			case "passed":
				report.Passed[c.Name]++
			case "skipped", "disabled":
			default: // "failure", "error", and whatever a later version makes up
				report.Failed[c.Name]++
			}
		}
	}
	if len(report.Passed) == 0 {
		return report, fmt.Errorf("the conformance suite passed no test, so it tested nothing")
	}
	return report, nil
}

// Failing returns the names of the tests that failed, ordered.
func (r ConformanceReport) Failing() []string {
	return slices.Sorted(maps.Keys(r.Failed))
}

// Worse returns the names of the tests that fail more often in r than in direct, ordered.
func (r ConformanceReport) Worse(direct ConformanceReport) []string {
	var worse []string
	for _, name := range r.Failing() {
		if r.Failed[name] > direct.Failed[name] {
			worse = append(worse, name)
		}
	}
	return worse
}

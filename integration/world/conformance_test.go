package world

import (
	"slices"
	"testing"
)

const junit = `<testsuites tests="5" failures="2"><testsuite name="s">
<testcase name="a" status="passed"></testcase>
<testcase name="b" status="failure"></testcase>
<testcase name="b" status="passed"></testcase>
<testcase name="c" status="skipped"></testcase>
<testcase name="d" status="some word of tomorrow"></testcase>
</testsuite></testsuites>`

func TestParseConformance(t *testing.T) {
	report, err := ParseConformance([]byte(junit))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"b", "d"}; !slices.Equal(report.Failing(), want) {
		t.Errorf("failing %q, want %q", report.Failing(), want)
	}
	same := report.Worse(report)
	if len(same) != 0 {
		t.Errorf("worse than itself: %q", same)
	}
	direct := ConformanceReport{Failed: map[string]int{"d": 1}}
	if want := []string{"b"}; !slices.Equal(report.Worse(direct), want) {
		t.Errorf("worse %q, want %q", report.Worse(direct), want)
	}
}

func TestParseConformanceRefusesAReportOfNothing(t *testing.T) {
	for _, data := range []string{"", "<html>", `<testsuites tests="0"></testsuites>`} {
		if _, err := ParseConformance([]byte(data)); err == nil {
			t.Errorf("%q passed for a report", data)
		}
	}
}

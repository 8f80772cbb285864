package rpm_test

import (
	"testing"

	"hallmark/formats/formattest"
)

func FuzzMirror(f *testing.F) { formattest.FuzzMirror(f, subject(f, "unsigned")) }

package maven_test

import (
	"encoding/json"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/maven"
)

func TestAnswersAreInTheFormThatMavenShows(t *testing.T) {
	f := open(t, maven.Defaults())
	answer := func(status int, kind format.Kind) format.Answer {
		return f.Answer(format.Site{}, format.Request{}, format.Answer{Status: status, Text: "it is so", Op: format.Op{Kind: kind}})
	}
	if a := answer(200, format.Put); a.Status != 201 || a.Data != nil {
		t.Errorf("the same again gets %+v", a)
	}
	var problem struct {
		Status int
		Detail string
	}
	a := answer(409, format.Put)
	if err := json.Unmarshal(a.Data, &problem); err != nil || a.Type != "application/problem+json" || a.Status != 409 || problem.Status != 409 || problem.Detail != "it is so" {
		t.Errorf("a refusal gets %+v, %s, %v", a, a.Data, err)
	}
	if a := answer(404, format.Get); a.Type != "" || a.Data != nil {
		t.Errorf("Maven takes it for a failure that something is not there: %+v", a)
	}
}

package maven

import (
	"encoding/json"

	"hallmark/formats/format"
)

// Answer says of an upload that is there already that it was created, as of any other. A refusal has the form of RFC 9457, whose
// detail Maven shows from 3.9.11 on (org.eclipse.aether.spi.connector.transport.http.RFC9457), and says the same in the status
// line, which is all that earlier ones, Gradle and sbt show. What is not there is told in plain text: for Maven, 404 in that form
// is a failure, and not the news that an artifact has no snapshots yet.
func (f *Format) Answer(_ format.Site, _ format.Request, a format.Answer) format.Answer {
	if a.Status < 400 {
		if a.Op.Kind == format.Put && a.Status == 200 {
			a.Status = 201
		}
		return a
	}
	if a.Status == 404 {
		return a
	}
	problem := struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", "Refused", a.Status, a.Text}
	data, err := json.Marshal(problem)
	if err != nil {
		return a
	}
	a.Type, a.Data, a.Reason = "application/problem+json", append(data, '\n'), a.Text
	return a
}

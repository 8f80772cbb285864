package debian

import (
	"bytes"

	"hallmark/formats/format"
)

// The lines that frame a clearsigned text (RFC 9580, section 7).
const (
	beginText      = "-----BEGIN PGP SIGNED MESSAGE-----"
	beginSignature = "-----BEGIN PGP SIGNATURE-----"
	endSignature   = "-----END PGP SIGNATURE-----"
)

// unframe returns the text of a file that its author may have clearsigned. The signature is not looked at: it is for those
// who know the author. Nothing but the text stands outside of the frame, so that everybody takes the same for it.
func unframe(file []byte) ([]byte, error) {
	if !bytes.HasPrefix(file, []byte("-----")) {
		return file, nil
	}
	rest := file
	next := func() (line []byte, ok bool) {
		line, rest, ok = bytes.Cut(rest, []byte("\n"))
		return line, ok
	}
	if line, _ := next(); string(line) != beginText {
		return nil, format.Malformedf("the text begins with %.60q and not with %s", line, beginText)
	}
	for {
		line, ok := next()
		if !ok {
			return nil, format.Malformedf("the text is cut off before its signature")
		}
		if len(line) == 0 {
			break
		}
		if !bytes.HasPrefix(line, []byte("Hash: ")) {
			return nil, format.Malformedf("the signed text has a header %.60q, and only Hash may stand there", line)
		}
	}
	var text []byte
	for {
		line, ok := next()
		if !ok {
			return nil, format.Malformedf("the text is cut off before its signature")
		}
		if string(line) == beginSignature {
			break
		}
		if bytes.HasPrefix(line, []byte("-")) {
			if !bytes.HasPrefix(line, []byte("- ")) {
				return nil, format.Malformedf("the signed text has a line %.60q, which begins with - and has no "+
					"space after it", line)
			}
			line = line[2:]
		}
		text = append(append(text, line...), '\n')
	}
	for {
		line, ok := next()
		if string(line) == endSignature {
			break
		}
		if !ok {
			return nil, format.Malformedf("the signature of the text is cut off")
		}
		if bytes.HasPrefix(line, []byte("-----")) {
			return nil, format.Malformedf("the signature of the text has a line %.60q in it", line)
		}
	}
	if len(bytes.Trim(rest, "\n")) > 0 {
		return nil, format.Malformedf("something follows the signature of the text")
	}
	return text, nil
}

package debian

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// parseChanges reads the description of an upload (deb-changes(5)). Its parts are the files that it names, except for a
// .buildinfo: what the repository serves.
func parseChanges(op format.Op, b format.Blob) (format.Package, error) {
	c, err := readSourceText(b, "the .changes is broken")
	if err != nil {
		return format.Package{}, err
	}
	at := placeOf(op)
	if d := c.fields.Get("Distribution"); d != at.distribution {
		return format.Package{}, format.Malformedf("the .changes is for the distribution %.100q and was put to "+
			"%s: put it and its files to <the distribution that it names>/%s/%s/, or write %s into its changelog",
			d, at.distribution, at.component, incoming, at.distribution)
	}
	files, err := listedFiles(c.fields, 2)
	if err != nil {
		return format.Package{}, in("the .changes is broken", err)
	}
	p := format.Package{Name: c.source, Version: c.version, Shard: at.distribution, Set: op.Dir, Unlisted: true}
	for _, f := range files {
		switch kindOf(f.name) {
		case kindBuildinfo:
			continue
		case kindDeb, kindDsc:
			p.Parts = append(p.Parts, f.part(at, c.source))
		case kindSourceFile:
			n, _ := parseSourceName(f.name) // kindOf has parsed it.
			p.Parts = append(p.Parts, f.part(at, n.source))
		default:
			return format.Package{}, format.Malformedf("the .changes names %q, and a Debian repository takes "+
				"binary packages (.deb), sources (.dsc) and their files alone", f.name)
		}
	}
	if len(p.Parts) == 0 {
		return format.Package{}, format.Malformedf("the .changes names no file that a repository could serve")
	}
	return p, nil
}

// parseBuildinfo reads what is known of how a package was built (deb-buildinfo(5)), as far as it has to be known that it
// is one.
func parseBuildinfo(op format.Op, b format.Blob) (format.Package, error) {
	i, err := readSourceText(b, "the .buildinfo is broken")
	if err != nil {
		return format.Package{}, err
	}
	if !strings.HasPrefix(op.Name, i.source+"_") || !isFileName(op.Name) {
		return format.Package{}, format.Malformedf("the .buildinfo that was put as %.200q is of %s: begin its "+
			"name with %s_", op.Name, i.source, i.source)
	}
	at := placeOf(op)
	return format.Package{
		Path:    path.Join(at.pool(i.source), op.Name),
		Name:    i.source,
		Version: i.version,
		Shard:   at.distribution,
		Waits:   true,
		Set:     op.Dir,
	}, nil
}

// readSourceText reads a text about a source. context says what is broken if it is.
func readSourceText(b format.Blob, context string) (sourceText, error) {
	file, err := readText(b)
	if err != nil {
		return sourceText{}, err
	}
	t, err := parseSourceText(file)
	if err != nil {
		return sourceText{}, in(context, err)
	}
	return t, nil
}

package npm

import (
	"strings"

	"hallmark/formats/format"
)

// The media type by which a client asks for the short form of a packument.
const installType = "application/vnd.npm.install-v1+json"

// The folders of the two forms of packuments, and the path of distribution tags.
const (
	fullFolder    = "-/full/"
	installFolder = "-/install/"
	documentEnd   = ".json"
	tagFolder     = "-/package/"
	tagMiddle     = "/dist-tags/"
)

// Route says what a request asks for: the registry's own addresses begin with "-/", all others with the name of a package.
func (f *Format) Route(r format.Request) (format.Op, error) {
	if p, ok := provenanceRoute(r.Path); ok && r.Method == "GET" {
		return format.Op{Kind: format.Get, Paths: []string{p}, Type: "application/json"}, nil
	}
	if own, ok := strings.CutPrefix(r.Path, "-/"); ok {
		return routeOwn(r, own)
	}
	if r.Path == "" && r.Method == "GET" {
		return format.Op{Kind: format.List, Paths: []string{""}}, nil
	}
	name, rest, ok := splitName(r.Path)
	if !ok {
		if r.Method == "GET" {
			return format.Op{}, format.NotFoundf("there is no package %.100q", r.Path)
		}
		return format.Op{}, checkName(name)
	}
	if strings.HasSuffix(rest, "/") || rest == "" && strings.HasSuffix(r.Path, "/") {
		return format.Op{}, format.NotFoundf("a registry of npm lists no folders: ask for %.100q", name)
	}
	switch r.Method {
	case "GET":
		return routeGet(r, name, rest)
	case "PUT":
		if version, ok := splitTarball(name, rest); ok {
			return putTarball(name, version), nil
		}
		if rest == "" || strings.HasPrefix(rest, "-rev/") {
			return format.Op{Kind: format.Unwrap}, nil
		}
	case "DELETE":
		if rest == "" || strings.HasPrefix(rest, "-rev/") {
			return format.Op{Kind: format.Clear, Paths: []string{name}}, nil
		}
		rest, _, _ = strings.Cut(rest, "/-rev/")
		if version, ok := splitTarball(name, rest); ok {
			return format.Op{Kind: format.Delete, Paths: []string{tarballPath(name, version)}}, nil
		}
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for %.200q: publish with npm, or PUT a tarball to %s", r.Method, r.Path,
		tarballPath(name, "VERSION"))
}

func putTarball(name, version string) format.Op {
	dir, file, _ := strings.Cut(tarballPath(name, version), "/-/")
	return format.Op{Kind: format.Put, Dir: dir, Name: file}
}

// routeGet answers a GET below a package.
func routeGet(r format.Request, name, rest string) (format.Op, error) {
	switch {
	case rest == "" && strings.Contains(r.Accept, installType):
		return format.Op{Kind: format.Get, Paths: []string{installFolder + name + documentEnd}, Type: installType, Addressed: true}, nil
	case rest == "":
		return format.Op{Kind: format.Get, Paths: []string{fullFolder + name + documentEnd}, Type: "application/json", Addressed: true}, nil
	case strings.HasPrefix(rest, "-/"):
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case !strings.Contains(rest, "/") && (isVersion(rest) || isTag(rest)):
		return format.Op{Kind: format.Render, Document: r.Path}, nil
	}
	return format.Op{}, format.NotFoundf("there is nothing at %.200q", r.Path)
}

// routeOwn routes the addresses of the registry itself.
func routeOwn(r format.Request, own string) (format.Op, error) {
	if rest, ok := strings.CutPrefix(own, strings.TrimPrefix(tagFolder, "-/")); ok {
		return routeTags(r, rest)
	}
	user := strings.HasPrefix(own, "user/")
	switch r.Method {
	case "GET":
		if path, ok := documentPath(r.Path); ok {
			return format.Op{Kind: format.Get, Paths: []string{path}, Type: "application/json", Addressed: true}, nil
		}
		switch own {
		case "ping", "whoami", "all", "npm/v1/keys":
			return format.Op{Kind: format.Render, Document: r.Path}, nil
		case "v1/search":
			return format.Op{Kind: format.Render, Document: r.Path + "?" + r.Query.Encode()}, nil
		}
		return format.Op{}, format.NotFoundf("there is nothing at %.200q", r.Path)
	case "PUT", "POST":
		if strings.HasPrefix(own, "user/org.couchdb.user:") {
			return format.Op{Kind: format.Login}, nil
		}
	case "DELETE":
		if user {
			return format.Op{Kind: format.Ignore}, nil // npm logout: keys are not kept here
		}
	}
	if strings.HasPrefix(own, "v1/login") || strings.HasPrefix(own, "npm/v1/security/") && r.Method == "POST" {
		return format.Op{}, format.NotFoundf("there is nothing at %.200q", r.Path)
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for %.200q", r.Method, r.Path)
}

// documentPath reports whether a path is one of a packument as it is kept.
func documentPath(p string) (string, bool) {
	for _, folder := range []string{fullFolder, installFolder} {
		if rest, ok := strings.CutPrefix(p, folder); ok {
			name, ok := strings.CutSuffix(rest, documentEnd)
			return p, ok && isName(name)
		}
	}
	return "", false
}

// routeTags routes the distribution tags of a package, each of which is a small file of its own.
func routeTags(r format.Request, p string) (format.Op, error) {
	name, rest, ok := splitName(p)
	if !ok {
		return format.Op{}, format.NotFoundf("there is no package %.100q", p)
	}
	tag, ok := strings.CutPrefix("/"+rest, tagMiddle)
	switch {
	case rest == "dist-tags" && r.Method == "GET":
		return format.Op{Kind: format.Render, Document: r.Path}, nil
	case ok && r.Method == "GET" && tag != "" && !strings.Contains(tag, "/"):
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case ok && !isTag(tag) && r.Method != "GET":
		return format.Op{}, format.NotAllowedf("%.100q cannot be a tag: they look like latest, next or beta.1, and not like versions", tag)
	case ok && (r.Method == "PUT" || r.Method == "POST"):
		return putTag(name, tag), nil
	case ok && r.Method == "DELETE":
		return format.Op{Kind: format.Delete, Paths: []string{tagFolder + name + tagMiddle + tag}}, nil
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for %.200q", r.Method, r.Path)
}

func putTag(name, tag string) format.Op {
	return format.Op{Kind: format.Put, Dir: strings.TrimSuffix(tagFolder+name+tagMiddle, "/"), Name: tag}
}

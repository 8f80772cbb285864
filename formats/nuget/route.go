package nuget

import (
	"path"
	"strings"

	"hallmark/formats/format"
)

// The addresses of the resources, below the repository.
const (
	serviceIndex = "v3/index.json"
	flat         = "v3/flat"         // packages and lists of versions
	registration = "v3/registration" // what is said of packages
	publishing   = "v3/package"
	searching    = "v3/search"
	completing   = "v3/autocomplete"
	signing      = "v3/repository-signatures/index.json"
	certificates = "v3/certificates" // of who signs packages

	indexName       = "index.json"
	signedName      = "packages.jsonl"
	signatureSuffix = ".asc"
	packageSuffix   = ".nupkg"
	manifestName    = ".nuspec"
	leafSuffix      = ".json"
	certificate     = ".crt"
)

// The documents of the Renderer. Behind the name stands "?" and what is asked of it.
const (
	documentIndex       = "index"
	documentSigning     = "signing"
	documentCertificate = "certificate"
	documentLeaf        = "leaf"
	documentSearch      = "search"
	documentComplete    = "autocomplete"
)

// The marks of a package.
const markUnlisted = "unlisted"

// Route says what a request asks for. Clients write ids in their own letters and versions in their own form in requests that
// change something, and in small letters and the normal form in all others.
func (*Format) Route(r format.Request) (format.Op, error) {
	switch r.Method {
	case "GET":
		return routeGet(r), nil
	case "PUT":
		return routePut(r)
	case "POST", "DELETE":
		return routeChange(r)
	}
	return format.Op{}, format.NotAllowedf("%.20q is not for NuGet packages: use PUT, GET, POST or DELETE", r.Method)
}

func routeGet(r format.Request) format.Op {
	document := func(name, question string) format.Op {
		return format.Op{Kind: format.Render, Document: name + "?" + question}
	}
	at := strings.ToLower(r.Path)
	switch at {
	case serviceIndex:
		return document(documentIndex, "")
	case signing:
		return document(documentSigning, "")
	case searching:
		return document(documentSearch, r.Query.Encode())
	case completing:
		return document(documentComplete, r.Query.Encode())
	case "":
		return format.Op{Kind: format.List, Paths: []string{""}}
	}
	if strings.HasSuffix(at, "/") {
		return format.Op{Kind: format.List, Paths: []string{at}}
	}
	dir, name := path.Split(at)
	switch dir = strings.TrimSuffix(dir, "/"); {
	case dir == certificates:
		return document(documentCertificate, strings.TrimSuffix(name, certificate))
	case name == indexName && strings.HasPrefix(dir, registration+"/"):
		return format.Op{Kind: format.Get, Paths: []string{at}, Type: "application/json", Addressed: true}
	case path.Dir(dir) == registration:
		return document(documentLeaf, path.Base(dir)+"/"+strings.TrimSuffix(name, leafSuffix))
	}
	kind := map[string]string{packageSuffix: "application/octet-stream", manifestName: "application/xml", leafSuffix: "application/json"}[path.Ext(name)]
	return format.Op{Kind: format.Get, Paths: []string{at}, Type: kind}
}

// routePut routes an upload: the form that clients send, or the package itself, at the address of uploads or at its own.
func routePut(r format.Request) (format.Op, error) {
	if strings.TrimSuffix(r.Path, "/") == publishing {
		if strings.HasPrefix(strings.ToLower(r.Type), "multipart/") {
			return format.Op{Kind: format.Unwrap}, nil
		}
		return format.Op{Kind: format.Put}, nil
	}
	dir, name := path.Split(r.Path)
	dir = strings.TrimSuffix(dir, "/")
	if strings.ToLower(path.Ext(name)) != packageSuffix {
		return format.Op{}, format.NotAllowedf("%.100q is no address of a package: push to %s, or put ID.VERSION.nupkg there", r.Path, publishing)
	}
	if dir == publishing {
		return format.Op{Kind: format.Put, Name: name}, nil
	}
	if parts := strings.Split(strings.ToLower(dir), "/"); len(parts) == 4 && strings.HasPrefix(strings.ToLower(dir), flat+"/") {
		return format.Op{Kind: format.Put, Dir: dir, Name: name}, nil
	}
	return format.Op{}, format.NotAllowedf("%.100q is no address of a package: push to %s, or put ID.VERSION.nupkg there", r.Path, publishing)
}

// routeChange routes what changes a package that is there: clients delete and list again by id and version, and the file
// itself goes if it is deleted at its own address.
func routeChange(r format.Request) (format.Op, error) {
	at := strings.ToLower(r.Path)
	if rest, ok := strings.CutPrefix(at, publishing+"/"); ok {
		id, number, _ := strings.Cut(rest, "/")
		v, isVersion := parseVersion(number)
		if !isID(id) || !isVersion {
			return format.Op{}, format.Malformedf("%.120q is no id and version of a package", rest)
		}
		op := format.Op{Kind: format.Mark, Paths: []string{packagePath(id, v.lower())}, Marks: map[string]string{markUnlisted: ""}}
		if r.Method == "DELETE" {
			op.Marks[markUnlisted] = "yes"
		}
		return op, nil
	}
	parts := strings.Split(at, "/")
	if r.Method == "DELETE" && len(parts) == 5 && strings.HasPrefix(at, flat+"/") && path.Ext(at) == packageSuffix {
		return format.Op{Kind: format.Delete, Paths: []string{at}}, nil
	}
	if r.Method == "DELETE" {
		return format.Op{}, format.NotAllowedf("%.100q is made here, or no package: unlist %s/ID/VERSION, or delete the .nupkg below %s", r.Path, publishing, flat)
	}
	return format.Op{}, format.NotAllowedf("%.100q takes no POST: list a package again by %s/ID/VERSION, and push it by PUT", r.Path, publishing)
}

// packagePath returns where a package is.
func packagePath(id, version string) string {
	return path.Join(flat, id, version, id+"."+version+packageSuffix)
}

// together names a list that is signed with its signature.
func together(p string) string {
	if list := strings.TrimSuffix(p, signatureSuffix); path.Base(list) == signedName && strings.HasPrefix(p, flat+"/") {
		return list
	}
	return ""
}

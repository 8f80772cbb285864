package format

// A Renderer makes documents that are not stored, such as those that hold absolute addresses. It is optional.
type Renderer interface {
	// Render returns the document that an Op of kind Render asks for. The error for one that there is not wraps
	// [fs.ErrNotExist].
	Render(s Site, op Op) (Document, error)

	// Setup returns a shell script that points a client at the repository: one of Spec.Clients. It runs as root in
	// /bin/sh, can be pasted, and says on its first lines what it does. Running it again does no harm.
	Setup(s Site, client string) ([]byte, error)
}

// A Document is an answer that is made for one request.
type Document struct {
	Type string // its media type
	Data []byte
}

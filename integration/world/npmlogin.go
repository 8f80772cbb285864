package world

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"sync"
)

// Login runs npm login, answers what it asks, and returns what it wrote.
func (n *NPM) Login(t T, u User) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.Path, "login", "--auth-type=legacy")
	cmd.Env, cmd.Dir = append(os.Environ(), n.Env...), n.Dir
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("%v", err)
	}
	talk := &dialogue{to: in, answers: []answer{{"Username:", u.Name}, {"Password:", u.Password}, {"Email:", "ci@example.com"}}}
	cmd.Stdout, cmd.Stderr = talk, talk
	err = cmd.Run()
	return talk.said.String(), err
}

type answer struct{ question, text string }

// A dialogue writes each answer when its question has come: npm drops what is there before.
type dialogue struct {
	mu      sync.Mutex
	to      io.WriteCloser
	said    bytes.Buffer
	seen    int // how much of it holds no question that is open
	answers []answer
}

func (d *dialogue) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said.Write(p)
	for len(d.answers) > 0 {
		next := d.answers[0]
		at := bytes.Index(d.said.Bytes()[d.seen:], []byte(next.question))
		if at < 0 {
			break
		}
		d.seen += at + len(next.question)
		d.answers = d.answers[1:]
		if _, err := io.WriteString(d.to, next.text+"\n"); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

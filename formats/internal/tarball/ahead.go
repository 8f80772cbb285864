package tarball

import (
	"fmt"
	"io"
	"sync"
)

// What is unpacked ahead: aheadBlocks blocks of aheadSize bytes at most.
const (
	aheadBlocks = 4
	aheadSize   = 128 << 10
)

// Ahead returns a reader of what r holds, which is read by a goroutine of its own, some blocks ahead: where unpacking takes as
// long as what is done with the bytes, two processors halve the time. Closing the result ends the goroutine and closes r. A
// panic of r is an error of the result.
func Ahead(r io.ReadCloser) io.ReadCloser {
	a := &ahead{
		from: r, full: make(chan block, aheadBlocks+1), free: make(chan []byte, aheadBlocks),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range aheadBlocks {
		a.free <- make([]byte, aheadSize)
	}
	a.close = sync.OnceValue(func() error {
		close(a.stop)
		<-a.done
		return r.Close()
	})
	go a.run()
	return a
}

type ahead struct {
	from  io.Reader
	full  chan block
	free  chan []byte
	stop  chan struct{}
	done  chan struct{}
	close func() error

	at block // that is being read
	n  int   // bytes of it that were
}

// A block is bytes, and the error that came behind them.
type block struct {
	data []byte
	err  error
}

func (a *ahead) run() {
	defer close(a.done)
	defer func() {
		if p := recover(); p != nil {
			a.full <- block{err: fmt.Errorf("a panic while it was unpacked: %v", p)}
		}
	}()
	for {
		var data []byte
		select {
		case data = <-a.free:
		case <-a.stop:
			return
		}
		n, err := io.ReadFull(a.from, data)
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		a.full <- block{data[:n], err}
		if err != nil {
			return
		}
	}
}

// Read implements [io.Reader].
func (a *ahead) Read(p []byte) (int, error) {
	for a.n == len(a.at.data) {
		if a.at.err != nil {
			return 0, a.at.err
		}
		if a.at.data != nil {
			a.free <- a.at.data[:aheadSize]
		}
		a.at, a.n = <-a.full, 0
	}
	n := copy(p, a.at.data[a.n:])
	a.n += n
	return n, nil
}

// Close implements [io.Closer].
func (a *ahead) Close() error { return a.close() }

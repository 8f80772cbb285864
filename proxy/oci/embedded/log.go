package embedded

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
)

var bridgeOnce sync.Once

// bridgeLogs sends what distribution logs to log. distribution knows only logrus's one standard logger, so the first
// call in a process wins.
func bridgeLogs(log *slog.Logger) {
	bridgeOnce.Do(func() {
		logrus.SetOutput(io.Discard)
		logrus.SetLevel(logrus.WarnLevel)
		if log.Enabled(context.Background(), slog.LevelDebug) {
			logrus.SetLevel(logrus.InfoLevel)
		}
		logrus.AddHook(bridge{log})
	})
}

type bridge struct{ log *slog.Logger }

func (bridge) Levels() []logrus.Level { return logrus.AllLevels }

// Fire passes an entry on. What distribution tells of a request is in its answer and in our line for it, so that is for
// debugging, save where the fault is the registry's own.
func (b bridge) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	code, _ := e.Data["err.code"].(interface{ Error() string })
	switch {
	case e.Message == "response completed with error" && (code == nil || code.Error() != "unknown"):
	case e.Level <= logrus.ErrorLevel:
		level = slog.LevelError
	case e.Level == logrus.WarnLevel:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("from", "embedded registry")}
	for _, k := range []string{"err.code", "err.detail", "err.message", "http.request.method", "http.request.uri", "vars.name"} {
		v, ok := e.Data[k]
		if !ok {
			continue
		}
		if uri, ok := v.(string); ok && k == "http.request.uri" {
			v, _, _ = strings.Cut(uri, "?") // a query may hold what is nobody's business
		}
		attrs = append(attrs, slog.Any(k, v))
	}
	b.log.LogAttrs(context.Background(), level, e.Message, attrs...)
	return nil
}

package registry

import (
	"io"

	"github.com/hashicorp/go-hclog"
	"github.com/sirupsen/logrus"
)

// routeLogs sends what the distribution library says to our logger. It logs
// through logrus' process-wide logger and offers no other handle.
func routeLogs(logger hclog.Logger) {
	std := logrus.StandardLogger()
	std.SetOutput(io.Discard)
	hooks := logrus.LevelHooks{}
	hooks.Add(logHook{logger})
	std.ReplaceHooks(hooks)
}

type logHook struct{ logger hclog.Logger }

// Levels names those worth the work: info is one line for each request, which
// the handler around the library logs itself.
func (logHook) Levels() []logrus.Level {
	return []logrus.Level{logrus.PanicLevel, logrus.FatalLevel, logrus.ErrorLevel, logrus.WarnLevel}
}

// Fire logs at debug level: a client's mistakes are errors to the library.
func (h logHook) Fire(entry *logrus.Entry) error {
	var fields []any
	for _, name := range []string{"err.code", "err.detail", "vars.name", "vars.reference"} {
		if value, ok := entry.Data[name]; ok {
			fields = append(fields, name, value)
		}
	}
	h.logger.Debug(entry.Message, fields...)
	return nil
}

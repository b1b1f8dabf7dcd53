package node

import (
	"fmt"
	"log/slog"
)

// quiet takes fasthttp's log lines: one for each connection that ends badly, which is ordinary when nodes come and go.
type quiet struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("connection of another node", "detail", fmt.Sprintf(format, args...))
}

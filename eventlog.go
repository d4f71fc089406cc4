package secrets

import (
	"fmt"
	"log/slog"
	"time"
)

// The messages of log records. They are documented and programs match them, so
// they must not change.
const (
	msgAdopted      = "secrets: new current version"
	msgRefused      = "secrets: new version failed to decode"
	msgStillRefused = "secrets: current version still fails to decode"
	msgLeftOut      = "secrets: a version failed to decode and is not used"
	msgFailed       = "secrets: refresh failed; cached value stays in service"
	msgStale        = "secrets: version expired; served on until the service answers"
	msgRecovered    = "secrets: refreshed again"
	msgDropped      = "secrets: secret deleted or access denied; removed from cache"
	msgTooOld       = "secrets: cached value too old to be served; removed"
	msgRecreated    = "secrets: secret was deleted and recreated"
	msgRejected     = "secrets: version rejected by its use"
	msgPinned       = "secrets: a version other than the current one is in use"
	msgUnpinned     = "secrets: the current version is in use again"
	msgRotating     = "secrets: rotation began"
	msgRotated      = "secrets: rotation ended"
	msgStuck        = "secrets: rotation outstanding for more than an hour; its function may have failed"
	msgDescribe     = "secrets: DescribeSecret denied; every refresh calls GetSecretValue"
	msgNoDescribe   = "secrets: DescribeSecret unavailable; every refresh calls GetSecretValue"
	msgRestored     = "secrets: service unreachable; value restored from snapshot"
	msgNotWritten   = "secrets: snapshot not written; a process that starts while the service is unreachable has older values, or none"
	msgNotRead      = "secrets: snapshot ignored; while the service is unreachable cold reads fail"
	msgRegionFailed = "secrets: region does not answer; others are asked until it does"
	msgRegionBack   = "secrets: region answers again"
	msgNoBatch      = "secrets: BatchGetSecretValue unavailable; secrets are fetched one by one"
	msgLost         = "secrets: events were dropped; the logger or OnEvent is too slow"
	msgPanicked     = "secrets: OnEvent panicked"
)

// line returns the level and the message of an event's log record. The message
// is "" if the event is not logged.
func (e *Event) line() (slog.Level, string) {
	switch e.Kind {
	case EventAdopted:
		if e.From != "" {
			return slog.LevelInfo, msgAdopted
		}
	case EventRefused:
		if e.Attempt > 1 {
			return slog.LevelError, msgStillRefused
		}
		return slog.LevelError, msgRefused
	case EventLeftOut:
		return slog.LevelError, msgLeftOut
	case EventFailed:
		if e.Attempt == 1 {
			return slog.LevelWarn, msgFailed
		}
	case EventStale:
		return slog.LevelWarn, msgStale
	case EventRecovered:
		return slog.LevelInfo, msgRecovered
	case EventDropped:
		return slog.LevelError, msgDropped
	case EventTooOld:
		return slog.LevelError, msgTooOld
	case EventRecreated:
		return slog.LevelInfo, msgRecreated
	case EventRejected:
		return slog.LevelWarn, msgRejected
	case EventPinned:
		return slog.LevelInfo, msgPinned
	case EventUnpinned:
		return slog.LevelInfo, msgUnpinned
	case EventRotating:
		return slog.LevelInfo, msgRotating
	case EventRotated:
		return slog.LevelInfo, msgRotated
	case EventRotationStuck:
		return slog.LevelWarn, msgStuck
	case EventUnavailable:
		return slog.LevelWarn, e.unavailable()
	case EventRestored:
		return slog.LevelWarn, msgRestored
	case EventSnapshotFailed:
		if e.Operation == "read" {
			return slog.LevelWarn, msgNotRead
		}
		return slog.LevelWarn, msgNotWritten
	case EventRegionFailed:
		return slog.LevelWarn, msgRegionFailed
	case EventRegionBack:
		return slog.LevelInfo, msgRegionBack
	}
	return 0, ""
}

// unavailable returns the message of an EventUnavailable.
func (e *Event) unavailable() string {
	switch {
	case e.Operation == opBatch:
		return msgNoBatch
	case e.Class == ClassDenied:
		return msgDescribe
	}
	return msgNoDescribe
}

// logged reports whether e has a log record.
func (e *Event) logged() bool {
	_, msg := e.line()
	return msg != ""
}

// record logs e.
func (e *Event) record(log *slog.Logger) {
	level, msg := e.line()
	ctx := e.Context()
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("secret", e.Secret)}
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("version", e.Version)
	text(e.fromKey(), e.From)
	text("stage", e.Stage)
	text("type", e.Type)
	text("field", e.Field)
	text("how", e.How)
	text("operation", e.Operation)
	text("region", e.Region)
	text("error.type", string(e.Class))
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	if e.Kind == EventRecovered || e.Kind == EventStale {
		attrs = append(attrs, slog.Int("failures", e.Attempt))
	}
	moment := func(key string, t time.Time) {
		if !t.IsZero() {
			attrs = append(attrs, slog.Time(key, t))
		}
	}
	moment("since", e.Since)
	moment("next", e.Next)
	log.LogAttrs(ctx, level, msg, attrs...)
}

// fromKey returns the key of the From field in a log record.
func (e *Event) fromKey() string {
	switch e.Kind {
	case EventRefused:
		return "serving"
	case EventPinned:
		return "current"
	}
	return "was"
}

// typeOf returns the type of a panic's value.
func typeOf(p any) string { return fmt.Sprintf("%T", p) }

package secretstest

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

// An event is a native event of the service, as EventBridge delivers it.
type event struct {
	Version    string      `json:"version"`
	ID         string      `json:"id"`
	DetailType string      `json:"detail-type"`
	Source     string      `json:"source"`
	Account    string      `json:"account"`
	Time       string      `json:"time"`
	Region     string      `json:"region"`
	Resources  []string    `json:"resources"`
	Detail     eventDetail `json:"detail"`
}

type eventDetail struct {
	Name         string `json:"name"`
	LabelUpdated string `json:"labelUpdated"`
	VersionID    string `json:"versionId"`
}

// OnEvent subscribes f to the event "Secret Label Updated". The service sends
// it whenever a label other than AWSPENDING and AWSPREVIOUS moves to a version.
// An event is JSON, as EventBridge delivers it to a target. Each region that
// has the secret sends its own.
//
// A goroutine delivers events in order, one at a time, and ends when none are
// left. f may use the server, except Close. There is no way to unsubscribe.
// Reset keeps the subscribers and drops undelivered events.
func (s *Server) OnEvent(f func(event []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers = append(s.subscribers, f)
}

// PostEvents sends the events of OnEvent to a URL as the body of a POST. An
// event without a 2xx response within ten seconds is sent again, up to three
// times in all. Redirects are not followed.
func (s *Server) PostEvents(url string) {
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.OnEvent(func(event []byte) {
		for attempt := range 3 {
			if attempt > 0 && !sleep(s.ctx, time.Duration(attempt)*100*time.Millisecond) {
				return
			}
			if s.post(client, url, event) == nil {
				return
			}
		}
	})
}

func (s *Server) post(client *http.Client, url string, event []byte) error {
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, bytes.NewReader(event))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("got %s", resp.Status)
	}
	return nil
}

// labelMovedLocked is called for each label that a version gets.
func (s *Server) labelMovedLocked(c *content, stage string, v *version) {
	if len(s.subscribers) == 0 || s.closed || stage == stagePending || stage == stagePrevious {
		return
	}
	for _, r := range s.realms {
		sec := r.names[c.name]
		if sec == nil || sec.content != c {
			continue
		}
		s.undelivered = append(s.undelivered, marshal(event{
			Version: "0", ID: newUUID(), DetailType: "Secret Label Updated", Source: "aws.secretsmanager",
			Account: r.account, Time: now().UTC().Format(time.RFC3339), Region: r.region, Resources: []string{sec.arn},
			Detail: eventDetail{c.name, stage, v.id},
		}))
	}
	if !s.delivering {
		s.delivering = true
		s.running.Go(s.deliverEvents)
	}
}

// deliverEvents hands the events to the subscribers, until there are none left.
func (s *Server) deliverEvents() {
	for {
		s.mu.Lock()
		if len(s.undelivered) == 0 || s.closed {
			s.delivering = false
			s.mu.Unlock()
			return
		}
		e, subscribers := s.undelivered[0], s.subscribers
		s.undelivered = s.undelivered[1:]
		s.mu.Unlock()
		for _, f := range subscribers {
			f(bytes.Clone(e))
		}
	}
}

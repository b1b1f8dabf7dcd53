package limit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Policy is how much each client may send. The zero value is no limit.
type Policy struct {
	Quota  int           // units in each window, in the long run
	Window time.Duration // from 1 ms to a day
	Burst  int           // units at once, after a rest
}

const (
	maxUnits  = 1_000_000_000
	maxWindow = 24 * time.Hour
)

// ParsePolicy reads "2/5s", or "100/s" for one second; "" is no limit. burst 0 means the quota.
func ParsePolicy(text string, burst int) (p Policy, err error) {
	if text == "" {
		if burst != 0 {
			return p, errors.New("a burst is given, but no rate")
		}
		return p, nil
	}
	quota, window, ok := strings.Cut(text, "/")
	p.Quota, err = strconv.Atoi(quota)
	if !ok || err != nil {
		return Policy{}, fmt.Errorf("the rate %q must be a count and a time, such as 2/5s or 100/s", text)
	}
	if window != "" && strings.IndexAny(window, "0123456789.") != 0 {
		window = "1" + window
	}
	if p.Window, err = time.ParseDuration(window); err != nil {
		return Policy{}, fmt.Errorf("the rate %q must be a count and a time, such as 2/5s or 100/s", text)
	}
	if p.Burst = burst; burst == 0 {
		p.Burst = p.Quota
	}
	return p, p.Validate()
}

// Validate names every fault at once; none of the zero value.
func (p Policy) Validate() error {
	if !p.Enabled() {
		return nil
	}
	var errs []error
	if p.Quota < 1 || p.Quota > maxUnits {
		errs = append(errs, fmt.Errorf("a rate's count is %d, must be 1 to %d", p.Quota, maxUnits))
	}
	if p.Burst < 1 || p.Burst > maxUnits {
		errs = append(errs, fmt.Errorf("a rate's burst is %d, must be 1 to %d", p.Burst, maxUnits))
	}
	if p.Window < time.Millisecond || p.Window > maxWindow {
		errs = append(errs, fmt.Errorf("a rate's time is %v, must be 1ms to %v", p.Window, maxWindow))
	}
	if len(errs) == 0 && (p.interval() < 1 || float64(p.Burst)*float64(p.interval()) > float64(maxWindow)*365) {
		errs = append(errs, errors.New("the rate is too high, or its burst too large, to be told from no limit"))
	}
	return errors.Join(errs...)
}

// Enabled tells whether there is a limit.
func (p Policy) Enabled() bool { return p != Policy{} }

// interval is the time in which one unit is earned.
func (p Policy) interval() time.Duration { return p.Window / time.Duration(max(p.Quota, 1)) }

// whole is the time in which the whole allowance is earned.
func (p Policy) whole() time.Duration { return p.interval() * time.Duration(p.Burst) }

// name is the policy's in the header fields.
const name = `"increments"`

// Header is the value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11): the burst, and the whole seconds in which it is
// earned again; of shorter ones, what is earned in a second.
func (p Policy) Header() string {
	seconds := wholeSeconds(p.whole())
	quota := max(int64(p.Burst), int64(time.Duration(seconds)*time.Second/p.interval()))
	return name + ";q=" + strconv.FormatInt(quota, 10) + ";w=" + strconv.FormatInt(seconds, 10)
}

// wholeSeconds rounds up, to at least 1.
func wholeSeconds(d time.Duration) int64 {
	return max(1, int64(math.Ceil(d.Seconds())))
}

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"

	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

// expressions are all that operators' files ask of Prometheus.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	rules, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?m)^ +- alert: `).FindAll(rules, -1)
	for _, found := range regexp.MustCompile(`(?m)^ +expr: (.+)$`).FindAllSubmatch(rules, -1) {
		all = append(all, string(found[1]))
	}
	if len(alerts) == 0 || len(alerts) != len(all) {
		t.Fatalf("%d alerts with %d expressions, each on one line", len(alerts), len(all))
	}
	text, err := os.ReadFile("../../deploy/grafana/pinocchio.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil || len(dashboard.Panels) == 0 {
		t.Fatalf("the dashboard has %d panels: %v", len(dashboard.Panels), err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

// metricNames are the names of series that a node's page announces; up is Prometheus' own.
func metricNames(page string) map[string]bool {
	names := map[string]bool{"up": true}
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(page, -1) {
		if family[2] != "histogram" {
			names[family[1]] = true
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			names[family[1]+suffix] = true
		}
	}
	return names
}

// unknownNames parses an expression and returns the metrics in it that no node has.
func unknownNames(expr string, known map[string]bool) (unknown []string, err error) {
	parsed, err := metricsql.Parse(expr)
	if err != nil {
		return nil, err
	}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, filters := range m.LabelFilterss {
			for _, f := range filters {
				if f.Label == "__name__" && !known[f.Value] {
					unknown = append(unknown, f.Value)
				}
			}
		}
	})
	return unknown, nil
}

// peerCertificate returns the flags of a node that talks TLS to the others, so that it has the metrics of that, too.
func peerCertificate(t *testing.T) []string {
	t.Helper()
	ca, cert, key := certtest.New(t), fileIn(t, "cert.pem"), fileIn(t, "key.pem")
	ca.Issue(t, cert, key, certtest.Leaf{Names: []string{"pinocchio-peer"}})
	return []string{"--peer-tls-cert", cert, "--peer-tls-key", key, "--peer-tls-ca", ca.File}
}

// Red when a metric is renamed and an alert or a panel still has its old name.
func TestDeploy_EveryExpressionParsesAndNamesRealMetrics(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), append(peerCertificate(t), "--rate-limit", "9/s")...)
	_, page := call(t, http.MethodGet, base+"/metrics", "")
	known := metricNames(page)
	for _, expr := range expressions(t) {
		if unknown, err := unknownNames(expr, known); err != nil || len(unknown) > 0 {
			t.Errorf("%s: no node has %v (%v)", expr, unknown, err)
		}
	}
	// The same check on a page where a metric has another name.
	renamed := metricNames(strings.ReplaceAll(page, "pinocchio_lease_trusted", "pinocchio_lease_held"))
	red := 0
	for _, expr := range expressions(t) {
		if unknown, err := unknownNames(expr, renamed); err == nil && len(unknown) > 0 {
			red++
		}
	}
	if red == 0 {
		t.Error("the check does not notice that a metric is renamed")
	}
	if _, err := unknownNames("sum(rate(", known); err == nil {
		t.Error("a broken expression parses")
	}
}

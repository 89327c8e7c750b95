package openapi

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Every GET /metrics that the server's tests have got is what Prometheus' own
// parser reads and its linter, that of promtool check metrics, finds nothing in.
func TestMetrics(t *testing.T) {
	f, err := os.Open(os.Getenv("SHELF_RECORD"))
	if err != nil {
		t.Fatalf("%v; let SHELF_RECORD name a file, run the server's tests with it, and then this", err)
	}
	defer f.Close()
	families := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if a.Route != "GET /metrics" || a.Method != "GET" || a.Status != 200 {
			continue
		}
		if got := expfmt.ResponseFormat(a.Header); got.FormatType() != expfmt.TypeTextPlain {
			t.Errorf("line %d: the Content-Type %q is no text format of Prometheus", n, a.Header.Get("Content-Type"))
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		page, err := parser.TextToMetricFamilies(strings.NewReader(a.Body))
		if err != nil {
			t.Fatalf("line %d: %v in\n%s", n, err, a.Body)
		}
		problems, err := promlint.New(strings.NewReader(a.Body)).Lint()
		if err != nil || len(problems) > 0 {
			t.Fatalf("line %d: %v, %v in\n%s", n, problems, err, a.Body)
		}
		for name := range page {
			families[name]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if families["shelf_http_request_duration_seconds"] == 0 || families["shelf_build_info"] == 0 {
		t.Errorf("the metrics seen are %q; the server's tests should have asked for more", slices.Sorted(maps.Keys(families)))
	}
}

// Asks Grafana's Athena data source what a dashboard asks it: its health, the pickers, queries.
//
// Standard input is the data source as Grafana provisions it (jsonData and secureJsonData) and the
// statements of its panels; standard output is a line of JSON for each answer. It is compiled inside
// a checkout of github.com/grafana/athena-datasource (tests/support/grafana_guide.py).
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/grafana/athena-datasource/pkg/athena"
	"github.com/grafana/athena-datasource/pkg/athena/routes"
	"github.com/grafana/grafana-aws-sdk/pkg/awsds"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
)

const here = `{"region": "__default", "catalog": "__default", "database": "__default"`

var pickers = []struct{ path, body string }{
	{"catalogs", here + "}"},
	{"databases", here + "}"},
	{"workgroups", here + "}"},
	{"workgroupEngineVersion", here + `, "workgroup": "primary"}`},
	{"tables", here + "}"},
	{"columns", here + `, "table": "people"}`},
}

type input struct {
	JSONData       json.RawMessage   `json:"jsonData"`
	SecureJSONData map[string]string `json:"secureJsonData"`
	Statements     []string          `json:"statements"`
}

type panel struct {
	instance instancemgmt.Instance
	plugin   backend.PluginContext
	out      *json.Encoder
}

// Send takes the answer of a picker.
func (p panel) Send(response *backend.CallResourceResponse) error {
	return p.out.Encode(map[string]any{"status": response.Status, "body": json.RawMessage(response.Body)})
}

func main() {
	var told input
	if err := json.NewDecoder(os.Stdin).Decode(&told); err != nil {
		panic(err)
	}
	settings := backend.DataSourceInstanceSettings{
		ID: 1, UID: "querysvc", Name: "querysvc", Type: "grafana-athena-datasource",
		JSONData: told.JSONData, DecryptedSecureJSONData: told.SecureJSONData, Updated: time.Now(),
	}
	plugin := backend.PluginContext{OrgID: 1, DataSourceInstanceSettings: &settings}
	ctx := backend.WithPluginContext(context.Background(), plugin)
	ctx = backend.WithGrafanaConfig(ctx, backend.NewGrafanaCfg(map[string]string{
		"AWS_AUTH_AllowedAuthProviders": "keys",
	}))
	source := athena.New()
	ds := awsds.NewAsyncAWSDatasource(source)
	ds.Completable = source
	ds.EnableMultipleConnections = true
	ds.CustomRoutes = routes.New(source).Routes()
	instance, err := ds.NewDatasource(ctx, settings)
	if err != nil {
		panic(err)
	}
	asked := panel{instance, plugin, json.NewEncoder(os.Stdout)}
	asked.health(ctx)
	for _, picker := range pickers {
		asked.pick(ctx, picker.path, picker.body)
	}
	for _, statement := range told.Statements {
		asked.query(ctx, statement)
	}
}

func (p panel) health(ctx context.Context) {
	request := &backend.CheckHealthRequest{PluginContext: p.plugin}
	result, err := p.instance.(backend.CheckHealthHandler).CheckHealth(ctx, request)
	if err != nil {
		panic(err)
	}
	p.out.Encode(map[string]any{"health": result.Status.String(), "message": result.Message})
}

func (p panel) pick(ctx context.Context, path, body string) {
	request := &backend.CallResourceRequest{
		PluginContext: p.plugin, Path: path, URL: path, Method: "POST", Body: []byte(body),
		Headers: map[string][]string{"Content-Type": {"application/json"}},
	}
	if err := p.instance.(backend.CallResourceHandler).CallResource(ctx, request, p); err != nil {
		panic(err)
	}
}

// query asks as a panel does: with a time range of ten days for the macros.
func (p panel) query(ctx context.Context, statement string) {
	model, _ := json.Marshal(map[string]any{
		"rawSQL": statement, "format": 1, "connectionArgs": json.RawMessage(here + "}"),
	})
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	request := &backend.QueryDataRequest{PluginContext: p.plugin, Queries: []backend.DataQuery{{
		RefID: "A", JSON: model, Interval: time.Minute, MaxDataPoints: 1000,
		TimeRange: backend.TimeRange{From: from, To: from.AddDate(0, 0, 10)},
	}}}
	answer, err := p.instance.(backend.QueryDataHandler).QueryData(ctx, request)
	if err != nil {
		panic(err)
	}
	response := answer.Responses["A"]
	if response.Error != nil {
		p.out.Encode(map[string]any{"error": response.Error.Error()})
		return
	}
	frame := response.Frames[0]
	columns := map[string]string{}
	for _, field := range frame.Fields {
		columns[field.Name] = field.Type().String()
	}
	var first []any
	if frame.Rows() > 0 {
		first = frame.RowCopy(0)
	}
	p.out.Encode(map[string]any{"rows": frame.Rows(), "columns": columns, "first": first})
}

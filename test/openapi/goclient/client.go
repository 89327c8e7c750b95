// Command goclient is a client that oapi-codegen has made of openapi.json: it signs up,
// adds an item, changes it and deletes it. It is a module of its own, for what oapi-codegen
// takes, and because its other half, api.gen.go, is made when it is run.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
)

//go:generate go tool oapi-codegen -package main -generate types,client -o api.gen.go ../../../openapi/openapi.json

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: goclient URL")
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal("goclient: ", err)
	}
	fmt.Println("oapi-codegen: sign-up, create, edit, delete")
}

func run(ctx context.Context, url string) error {
	c, err := NewClientWithResponses(url)
	if err != nil {
		return err
	}
	refused, err := c.SignUpWithResponse(ctx, SignUpJSONRequestBody{Email: "oapi@example", Password: "b00k-worm"})
	if err != nil {
		return err
	}
	if d := refused.JSON400; d == nil || d.Details == nil || (*d.Details)[0].Field != "email" || (*d.Details)[0].Rule != "pattern" {
		return fmt.Errorf("sign-up without a dot = %s %s", refused.Status(), refused.Body)
	}
	signedUp, err := c.SignUpWithResponse(ctx, SignUpJSONRequestBody{Email: "oapi@example.com", Password: "b00k-worm"})
	if err != nil {
		return err
	}
	if signedUp.JSON201 == nil {
		return fmt.Errorf("sign-up = %s %s", signedUp.Status(), signedUp.Body)
	}
	bearer := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+signedUp.JSON201.Data[0].AccessToken)
		return nil
	}
	var body CreateItemJSONRequestBody
	ball := NewItem{Itemname: "ball", Category: "toys", Description: "It is round"}
	if err := body.FromNewItem(ball); err != nil {
		return err
	}
	created, err := c.CreateItemWithResponse(ctx, body, bearer)
	if err != nil {
		return err
	}
	if created.JSON201 == nil {
		return fmt.Errorf("create = %s %s", created.Status(), created.Body)
	}
	id := created.JSON201.Data[0].Id
	flat := "It is flat"
	changed, err := c.MergeItemWithResponse(ctx, id, nil, MergeItemJSONRequestBody{Description: &flat}, bearer)
	if err != nil {
		return err
	}
	if changed.JSON200 == nil || changed.JSON200.Data[0].Description != flat {
		return fmt.Errorf("edit = %s %s", changed.Status(), changed.Body)
	}
	if deleted, err := c.DeleteItemWithResponse(ctx, id, nil, bearer); err != nil || deleted.JSON200 == nil {
		return fmt.Errorf("delete = %v, %v", deleted, err)
	}
	missing, err := c.GetItemWithResponse(ctx, id, nil, bearer)
	if err != nil {
		return err
	}
	if missing.JSON404 == nil || missing.JSON404.Error != "Requested item does not exist" {
		return fmt.Errorf("read after delete = %s %s", missing.Status(), missing.Body)
	}
	return nil
}

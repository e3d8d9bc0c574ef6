// The page's own session is enough to try calls; a key can be given under "Authorize" as well.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui", deepLinking: true, displayRequestDuration: true });

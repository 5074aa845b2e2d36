// Shows the API in Swagger UI. Requests carry the session's CSRF token, except to other sites.

const container = document.querySelector("#swagger-ui");
window.SwaggerUIBundle({
  url: container.dataset.openapi,
  domNode: container,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: false,
  defaultModelsExpandDepth: -1, // each operation shows its own schemas
  syntaxHighlight: false, // its colors have too little contrast
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (new URL(request.url, window.location.href).origin === window.location.origin) {
      request.headers["X-CSRF-Token"] = container.dataset.csrf;
    }
    return request;
  },
});

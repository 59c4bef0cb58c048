// Starts Swagger UI with our document.

// Swagger UI has a dark theme, and a switch for it only in its own top bar.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followTheSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followTheSystem);
followTheSystem();

// A key belongs on a server: the API refuses one that comes from a page.
const nothing = () => () => null;
const withoutKeys = { wrapComponents: { authorizeBtn: nothing, authorizeOperationBtn: nothing } };

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // Else the document is sent to a service on the internet.
  validatorUrl: null,
  plugins: [withoutKeys],
});

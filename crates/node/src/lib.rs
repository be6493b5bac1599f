//! Front door and life of a node: TLS, authentication, routes, start and resume

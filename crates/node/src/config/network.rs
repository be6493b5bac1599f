use super::{ConfigError, Duration, Size, fields::Fields};

/// The sections `network.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Where other nodes reach this one. Kept for the record of the node; nothing listens there yet.
    pub node_to_node: Address,
    /// Where clients reach this node; at least one.
    pub rpc_interfaces: Vec<RpcInterface>,
}

/// An address to listen on, and the one to tell others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `host:port`; port 0 lets the operating system choose.
    pub bind: String,
    /// `host:port` as others see it; the same unless configured.
    pub published: String,
}

/// One element of `network.rpc_interfaces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcInterface {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub address: Address,
    /// Which protocols a TLS client may choose.
    pub protocol: AppProtocol,
    /// From this many sessions on, new ones are answered 503.
    pub max_open_sessions_soft: usize,
    /// From this many sessions on, new ones are dropped.
    pub max_open_sessions_hard: usize,
    /// Limits of HTTP.
    pub http: HttpLimits,
    /// Which certificate the node shows.
    pub authority: Authority,
}

/// `app_protocol`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppProtocol {
    /// HTTP/1.1, and HTTP/2 for clients that prefer it.
    Http1,
    /// HTTP/2 only.
    Http2,
}

/// `endorsement.authority`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// The node's certificate as the service endorsed it.
    Service,
    /// The node's self-signed certificate.
    Node,
    /// No TLS: only for an address that nobody else reaches.
    Unsecured,
}

/// `http_configuration`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Longest body.
    pub max_body_size: Size,
    /// Longest value of one header.
    pub max_header_size: Size,
    /// Most headers.
    pub max_headers_count: usize,
    /// HTTP/2: most streams of a connection at a time.
    pub max_concurrent_streams: u32,
    /// HTTP/2: window of a stream, in bytes.
    pub initial_window_size: u32,
    /// HTTP/2: largest frame, in bytes.
    pub max_frame_size: u32,
}

impl Network {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let node_to_node = fields.section("node_to_node_interface", |mut fields| {
            let address = Address::read(&mut fields, Some("127.0.0.1:0"))?;
            fields.finish()?;
            Ok(address)
        })?;
        let rpc_interfaces = fields.needed("rpc_interfaces", |fields| {
            let none = fields.wrong("NAME", "is missing: at least one interface is needed");
            let all = fields.named(RpcInterface::read)?;
            if all.is_empty() { Err(none) } else { Ok(all) }
        })?;
        fields.finish()?;
        Ok(Self { node_to_node, rpc_interfaces })
    }
}

impl Address {
    fn read(fields: &mut Fields<'_>, default: Option<&str>) -> Result<Self, ConfigError> {
        let bind = fields.text("bind_address")?.or_else(|| default.map(str::to_owned));
        let bind = bind.ok_or_else(|| fields.wrong("bind_address", "is missing"))?;
        check_address(&bind).map_err(|why| fields.wrong("bind_address", why))?;
        let published = fields.text("published_address")?.unwrap_or_else(|| bind.clone());
        check_address(&published).map_err(|why| fields.wrong("published_address", why))?;
        Ok(Self { bind, published })
    }
}

/// Checks that a text is like `host:port`.
pub(super) fn check_address(text: &str) -> Result<(), String> {
    let port = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
    if text.rsplit_once(':').is_some_and(port) { Ok(()) } else { Err(format!("is {text:?}, must be host:port")) }
}

impl RpcInterface {
    fn read(name: String, mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        fields.choice("protocol", &[("tcp", ())])?;
        let protocols = [("HTTP1", AppProtocol::Http1), ("HTTP2", AppProtocol::Http2)];
        let soft = fields.number("max_open_sessions_soft", 1, 1 << 20)?.unwrap_or(1000);
        let hard = fields.number("max_open_sessions_hard", 1, 1 << 20)?.unwrap_or(soft + 10);
        if hard < soft {
            return Err(fields.wrong("max_open_sessions_hard", format!("is {hard}, less than the soft limit {soft}")));
        }
        let interface = Self {
            name,
            address: Address::read(&mut fields, None)?,
            protocol: fields.choice("app_protocol", &protocols)?.unwrap_or(AppProtocol::Http1),
            max_open_sessions_soft: index(soft),
            max_open_sessions_hard: index(hard),
            http: fields.section("http_configuration", HttpLimits::read)?,
            authority: fields.section("endorsement", Authority::read)?,
        };
        fields.refuse(&["accepted_endpoints"], "every interface serves all paths")?;
        fields.ignore(&["forwarding_timeout_ms", "redirections"], "a service has one node, so nothing is forwarded");
        fields.finish()?;
        Ok(interface)
    }
}

impl Authority {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let words = [("Service", Self::Service), ("Node", Self::Node), ("Unsecured", Self::Unsecured)];
        let authority = fields.choice("authority", &words)?.unwrap_or(Self::Service);
        fields.finish()?;
        Ok(authority)
    }
}

impl HttpLimits {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let limits = Self {
            max_body_size: limited(&mut fields, "max_body_size", "1MB", 64 << 20)?,
            max_header_size: limited(&mut fields, "max_header_size", "16KB", 64 << 10)?,
            max_headers_count: index(fields.number("max_headers_count", 1, 1024)?.unwrap_or(256)),
            max_concurrent_streams: narrow(fields.number("max_concurrent_streams_count", 1, 1000)?.unwrap_or(100)),
            initial_window_size: narrow(limited(&mut fields, "initial_window_size", "64KB", (1 << 31) - 1)?.bytes),
            max_frame_size: narrow(limited(&mut fields, "max_frame_size", "16KB", (1 << 24) - 1)?.bytes),
        };
        if limits.max_frame_size < 16 << 10 {
            return Err(fields.wrong("max_frame_size", "must be at least 16KB (RFC 9113)"));
        }
        fields.finish()?;
        Ok(limits)
    }
}

fn limited(fields: &mut Fields<'_>, field: &str, default: &str, most: u64) -> Result<Size, ConfigError> {
    let size = match fields.size(field)? {
        Some(size) => size,
        None => Size::parse(default).map_err(|why| fields.wrong(field, why))?,
    };
    if size.bytes == 0 || size.bytes > most {
        return Err(fields.wrong(field, format!("is {}, must be from 1 to {most} bytes", size.text)));
    }
    Ok(size)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Default for HttpLimits {
    /// The limits of CCF.
    fn default() -> Self {
        Self {
            max_body_size: Size { bytes: 1 << 20, text: "1MB".into() },
            max_header_size: Size { bytes: 16 << 10, text: "16KB".into() },
            max_headers_count: 256,
            max_concurrent_streams: 100,
            initial_window_size: 64 << 10,
            max_frame_size: 16 << 10,
        }
    }
}

/// Kept here so that nobody has to look for it: how long a session may be idle unless configured otherwise (CCF).
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

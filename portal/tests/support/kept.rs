//! What a station is known to hold, for pages and programs that show it.

/// A certificate that nothing depends on; its key was never kept.
pub const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBrDCCAVGgAwIBAgIUWhaghKxGs2iBFc4/x8qhCZPyVqkwCgYIKoZIzj0EAwIw\n\
KjENMAsGA1UECgwEQWNtZTEZMBcGA1UEAwwQRmlybXdhcmUgc2lnbmluZzAgFw0y\n\
NjExMjYxNTMzNDhaGA8yMDc2MDMwODE1MzM0OFowKjENMAsGA1UECgwEQWNtZTEZ\n\
MBcGA1UEAwwQRmlybXdhcmUgc2lnbmluZzBZMBMGByqGSM49AgEGCCqGSM49AwEH\n\
A0IABB4PNxel72GFAPSeYNmQLznk0WL0y/5fd9jGFbGVqXIbYKeHbqnGdXoFUZGo\n\
T4jlir2jrchy4XUUQYU4isoGm4mjUzBRMB0GA1UdDgQWBBRpRsUW0VmdCiUXkETT\n\
s5Zq8KlZEDAfBgNVHSMEGDAWgBRpRsUW0VmdCiUXkETTs5Zq8KlZEDAPBgNVHRMB\n\
Af8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC1Nh1zYTUrdfJbEFajzJwpjwEg\n\
cBVgrUq6pBErSIqC1AIhAP/iowuxcDmHqLGMQTDBpUlkBgyOuRMMOLPvjSm1AVTT\n\
-----END CERTIFICATE-----\n\
";

//! The configuration keys of all profiles: names, kinds, defaults, and what the server may change.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::ocpp::msg16::{GetConfigurationConf, KeyValue, Measurand};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    /// An integer from 0.
    Number,
    /// An integer from 0 to 100.
    Percent,
    /// Names separated by commas.
    List,
}

macro_rules! keys {
    ($($name:ident: $kind:ident $access:ident = $default:literal,)*) => {
        /// A configuration key, by its OCPP 1.6 name.
        #[expect(missing_docs, reason = "the names are OCPP's; section 9 of the standard describes each")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Key { $($name,)* }
        const KEYS: &[(Key, &str, Kind, bool, &str)] =
            &[$((Key::$name, stringify!($name), Kind::$kind, keys!(@$access), $default),)*];
    };
    (@rw) => { false };
    (@ro) => { true };
}

keys! {
    AdditionalRootCertificateCheck: Bool ro = "false",
    AllowOfflineTxForUnknownId: Bool rw = "false",
    AuthorizationCacheEnabled: Bool rw = "true",
    AuthorizationKey: List rw = "",
    AuthorizeRemoteTxRequests: Bool rw = "false",
    BlinkRepeat: Number rw = "3",
    CertificateSignedMaxChainSize: Number ro = "10000",
    CertificateStoreMaxLength: Number ro = "16",
    ChargeProfileMaxStackLevel: Number ro = "9",
    ChargingScheduleAllowedChargingRateUnit: List ro = "Current,Power",
    ChargingScheduleMaxPeriods: Number ro = "48",
    ClockAlignedDataInterval: Number rw = "0",
    ConnectionTimeOut: Number rw = "60",
    ConnectorPhaseRotation: List rw = "NotApplicable",
    ConnectorPhaseRotationMaxLength: Number ro = "17",
    ConnectorSwitch3to1PhaseSupported: Bool ro = "false",
    CpoName: List rw = "",
    GetConfigurationMaxKeys: Number ro = "80",
    HeartbeatInterval: Number rw = "300",
    LightIntensity: Percent rw = "80",
    LocalAuthListEnabled: Bool rw = "true",
    LocalAuthListMaxLength: Number ro = "1000",
    LocalAuthorizeOffline: Bool rw = "true",
    LocalPreAuthorize: Bool rw = "false",
    MaxChargingProfilesInstalled: Number ro = "24",
    MaxEnergyOnInvalidId: Number rw = "0",
    MeterValuesAlignedData: List rw = "Energy.Active.Import.Register,Power.Active.Import",
    MeterValuesAlignedDataMaxLength: Number ro = "7",
    MeterValuesSampledData: List rw = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC,Power.Offered",
    MeterValuesSampledDataMaxLength: Number ro = "7",
    MeterValueSampleInterval: Number rw = "60",
    MinimumStatusDuration: Number rw = "0",
    NumberOfConnectors: Number ro = "1",
    ReserveConnectorZeroSupported: Bool ro = "true",
    ResetRetries: Number rw = "0",
    SecurityProfile: Number rw = "0",
    SendLocalListMaxLength: Number ro = "250",
    StopTransactionOnEVSideDisconnect: Bool rw = "true",
    StopTransactionOnInvalidId: Bool rw = "true",
    StopTxnAlignedData: List rw = "",
    StopTxnAlignedDataMaxLength: Number ro = "7",
    StopTxnSampledData: List rw = "",
    StopTxnSampledDataMaxLength: Number ro = "7",
    SupportedFeatureProfiles: List ro = "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,Reservation,SmartCharging",
    SupportedFeatureProfilesMaxLength: Number ro = "6",
    SupportedFileTransferProtocols: List ro = "HTTP,HTTPS",
    TransactionMessageAttempts: Number rw = "3",
    TransactionMessageRetryInterval: Number rw = "60",
    UnlockConnectorOnEVSideDisconnect: Bool rw = "true",
    WebSocketPingInterval: Number rw = "0",
}

/// What became of a ChangeConfiguration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Accepted,
    Rejected,
    NotSupported,
}

impl Change {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Rejected => "Rejected",
            Self::NotSupported => "NotSupported",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    values: Vec<String>,
}

impl Configuration {
    pub(crate) fn new(connectors: u32) -> Self {
        let mut this = Self {
            values: KEYS.iter().map(|k| String::from(k.4)).collect(),
        };
        this.put(Key::NumberOfConnectors, connectors.to_string());
        this
    }

    pub(crate) fn put(&mut self, key: Key, value: String) {
        self.values[key as usize] = value;
    }

    pub(crate) fn text(&self, key: Key) -> &str {
        &self.values[key as usize]
    }

    pub(crate) fn flag(&self, key: Key) -> bool {
        self.values[key as usize] == "true"
    }

    /// Whether a profile is among the SupportedFeatureProfiles.
    pub(crate) fn feature(&self, profile: &str) -> bool {
        let mut names = self.values[Key::SupportedFeatureProfiles as usize].split(',');
        names.any(|name| name.trim() == profile)
    }

    pub(crate) fn number(&self, key: Key) -> u64 {
        self.values[key as usize].parse().unwrap_or(0)
    }

    /// The measurands of a list key that this charge point has.
    pub(crate) fn measurands(&self, key: Key) -> impl Iterator<Item = Measurand> {
        const KNOWN: [Measurand; 7] = [
            Measurand::Energy,
            Measurand::Power,
            Measurand::Current,
            Measurand::Voltage,
            Measurand::Soc,
            Measurand::Offered,
            Measurand::CurrentOffered,
        ];
        self.values[key as usize]
            .split(',')
            .filter_map(|name| KNOWN.into_iter().find(|m| m.as_str() == name.trim()))
    }

    pub(crate) fn change(&mut self, name: &str, value: &str) -> Change {
        let Some(&(key, _, kind, read_only, _)) = KEYS.iter().find(|k| k.1 == name) else {
            return Change::NotSupported;
        };
        let value = value.trim();
        let value = match kind {
            _ if read_only => return Change::Rejected,
            Kind::Bool if value.eq_ignore_ascii_case("true") => "true",
            Kind::Bool if value.eq_ignore_ascii_case("false") => "false",
            Kind::Bool => return Change::Rejected,
            Kind::Number if value.parse::<u32>().is_err() => return Change::Rejected,
            Kind::Percent if !value.parse::<u32>().is_ok_and(|share| share <= 100) => {
                return Change::Rejected;
            }
            Kind::Number | Kind::Percent | Kind::List => value,
        };
        let old = core::mem::replace(&mut self.values[key as usize], String::from(value));
        let unknown_measurand = matches!(
            key,
            Key::MeterValuesSampledData
                | Key::MeterValuesAlignedData
                | Key::StopTxnSampledData
                | Key::StopTxnAlignedData
        ) && !value.is_empty()
            && self.measurands(key).count() != value.split(',').count();
        if unknown_measurand {
            self.put(key, old);
            return Change::Rejected;
        }
        Change::Accepted
    }

    pub(crate) fn report(&self, wanted: &[String]) -> GetConfigurationConf<'_> {
        let pair = |index: usize| KeyValue {
            key: KEYS[index].1,
            readonly: KEYS[index].3,
            value: (KEYS[index].0 != Key::AuthorizationKey).then_some(&*self.values[index]),
        };
        if wanted.is_empty() {
            let all = (0..KEYS.len()).map(pair).collect();
            return GetConfigurationConf {
                configuration_key: all,
                unknown_key: Vec::new(),
            };
        }
        let mut conf = GetConfigurationConf {
            configuration_key: Vec::new(),
            unknown_key: Vec::new(),
        };
        for name in wanted {
            match KEYS.iter().position(|k| k.1 == name) {
                Some(index) => conf.configuration_key.push(pair(index)),
                None => conf.unknown_key.push(name.clone()),
            }
        }
        conf
    }

    /// What differs from the defaults, to be kept over a reboot.
    pub(crate) fn changed(&self) -> Vec<(String, String)> {
        KEYS.iter()
            .zip(&self.values)
            .filter(|(key, value)| !key.3 && key.4 != value.as_str())
            .map(|(key, value)| (String::from(key.1), value.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_judged_by_kind() {
        let mut config = Configuration::new(2);
        for (key, value, expected) in [
            ("HeartbeatInterval", "900", Change::Accepted),
            ("HeartbeatInterval", "-1", Change::Rejected),
            ("HeartbeatInterval", "soon", Change::Rejected),
            ("LocalPreAuthorize", "TRUE", Change::Accepted),
            ("LocalPreAuthorize", "1", Change::Rejected),
            ("NumberOfConnectors", "4", Change::Rejected),
            ("MeterValuesSampledData", "SoC,Voltage", Change::Accepted),
            (
                "MeterValuesSampledData",
                "SoC,Temperature",
                Change::Rejected,
            ),
            ("ColourOfTheBox", "blue", Change::NotSupported),
        ] {
            assert_eq!(config.change(key, value), expected, "{key}={value}");
        }
        assert_eq!(config.number(Key::HeartbeatInterval), 900);
        assert!(config.flag(Key::LocalPreAuthorize));
        assert_eq!(config.number(Key::NumberOfConnectors), 2);
    }

    #[test]
    fn a_refused_value_leaves_the_old_one() {
        let mut config = Configuration::new(1);
        config.change("MeterValuesSampledData", "SoC");
        config.change("MeterValuesSampledData", "Nonsense");
        assert_eq!(config.measurands(Key::MeterValuesSampledData).count(), 1);
    }

    #[test]
    fn table_order_is_enum_order() {
        for (index, key) in KEYS.iter().enumerate() {
            assert_eq!(key.0 as usize, index, "{}", key.1);
        }
    }
}

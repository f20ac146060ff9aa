//! The macro behind every enumeration of the generated types: the listed values, and any other kept as it came (quirk 37).

/// Declares an open enumeration: `Name { Variant = "wire name", ... }`.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $wire, "`")] $variant,)+
            /// A value the standard does not list, as it came.
            Unlisted(String),
        }

        impl $name {
            /// The listed values, as they are written.
            pub const NAMES: &'static [&'static str] = &[$($wire),+];

            /// As it is written.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)+
                    Self::Unlisted(name) => name,
                }
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                match name {
                    $($wire => Self::$variant,)+
                    other => Self::Unlisted(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read = $crate::salvage::scalar(deserializer)?;
                read.ok_or_else(|| serde::de::Error::custom(concat!("expected a ", stringify!($name))))
            }
        }

        impl $crate::salvage::FromScalar for $name {
            fn from_scalar(scalar: $crate::salvage::Scalar<'_>) -> Option<Self> {
                match scalar {
                    $crate::salvage::Scalar::Text(name) => Some($crate::salvage::storable(&name).as_ref().into()),
                    other => String::from_scalar(other).map(Self::Unlisted),
                }
            }
        }
    };
}

pub(crate) use open_enum;

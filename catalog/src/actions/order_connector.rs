//! What a person orders of a connector: run, pause, stop, begin anew, go on with what it asked about.

use super::act::{Act, Done};
use super::connector::{Opened, open, save};
use crate::audit::{ConnectorConfirmed, ConnectorMoved, ConnectorReset, ConnectorState, What};
use crate::connector::{Connector, Desired};
use crate::error::{Code, Refusal};
use crate::store::Store;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Start, or go on after a pause.
    Run,
    Pause,
    Stop,
    Reset,
    Confirm,
}

pub async fn order_connector(
    store: &Store,
    act: &Act<'_>,
    name: &str,
    expected: Option<i32>,
    order: Order,
) -> Result<Done<Connector>, Refusal> {
    let (tx, mut connector) = match open(store, act, name, expected).await? {
        Opened::Fresh(tx, connector) => (tx, connector),
        Opened::Before(done) => return Ok(done),
    };
    may(&connector, order)?;
    let event = carry_out(&mut connector, order);
    save(tx, act, connector, event).await
}

/// A position is given up only while nothing moves it.
fn may(connector: &Connector, order: Order) -> Result<(), Refusal> {
    if order != Order::Reset || connector.desired == Desired::Stopped {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidState,
        "连接器须先停止才能重置",
        "a connector is reset only while it is stopped: stop it first",
    ))
}

fn carry_out(connector: &mut Connector, order: Order) -> What {
    let id = connector.id;
    let (desired, state) = match order {
        Order::Reset => {
            connector.resets += 1;
            return ConnectorReset { connector: id }.into();
        }
        Order::Confirm => {
            connector.confirmations += 1;
            return ConnectorConfirmed { connector: id }.into();
        }
        Order::Run => (Desired::Running, ConnectorState::Running),
        Order::Pause => (Desired::Paused, ConnectorState::Paused),
        Order::Stop => (Desired::Stopped, ConnectorState::Stopped),
    };
    connector.desired = desired;
    ConnectorMoved { connector: id, state, error: None }.into()
}

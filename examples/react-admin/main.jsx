import { createRoot } from 'react-dom/client';
import { Admin, Resource } from 'react-admin';
import { CommentCreate, CommentEdit, CommentList } from './comments.jsx';
import { PostCreate, PostEdit, PostList } from './posts.jsx';
import { authProvider, dataProvider } from './shelf.js';
import { SignIn } from './signin.jsx';

createRoot(document.getElementById('root')).render(
  <Admin title="Three of us" dataProvider={dataProvider} authProvider={authProvider} loginPage={SignIn} requireAuth disableTelemetry>
    <Resource name="posts" list={PostList} edit={PostEdit} create={PostCreate} recordRepresentation="title" />
    <Resource name="comments" list={CommentList} edit={CommentEdit} create={CommentCreate} recordRepresentation="body" />
  </Admin>,
);
